package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func TestNewRefuses(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	name := sandbox.Options{Name: "x"}
	for _, test := range []struct {
		name string
		opts Options
		want string
	}{
		{"container name", Options{Sandbox: name}, `session: new: Options.Sandbox has the container name "x", which only one session could have: `},
		{"sweep interval", Options{SweepInterval: -1}, "session: new: sweep interval -1ns is negative: "},
		{"max", Options{Max: -1}, "session: new: max of -1 sessions is negative: give 0 for no limit"},
		{"root that all may write to", Options{WorkspaceRoot: open}, "session: new: everybody may write to the workspace root "},
		{"root that is a file", Options{WorkspaceRoot: file}, "session: new: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			_, err := New(&test.opts)
			_, ok := errors.AsType[*Error](err)
			is.True(ok)
			is.True(strings.HasPrefix(err.Error(), test.want)) // got another text
		})
	}
}

func TestRuntimes(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{
			WorkspaceRoot: t.TempDir(),
			Sandbox: sandbox.Options{Memory: 64 << 20, Env: map[string]string{"A": "1"},
				Mounts: []sandbox.Mount{{Source: "cache", Target: "/cache"}}},
		})
		f := b.mustGet(is, "py", nil)
		is.Equal(f.opts.Runtime, sandbox.DefaultRuntime)
		is.Equal(f.opts.Mounts[1].Target, "/workspace")
		is.Equal(b.mustGet(is, "py", &GetOptions{Runtime: sandbox.DefaultRuntime}), f) // it is open on that

		calls := 0
		configure := func(o *sandbox.Options) {
			calls++
			o.Env["A"] = "2"
			o.Mounts[0].ReadOnly = true
			o.Memory = 128 << 20
		}
		node := b.mustGet(is, "js", &GetOptions{Runtime: "node-minimal", Configure: configure})
		is.Equal(b.mustGet(is, "js", &GetOptions{Configure: configure}), node)
		is.Equal(calls, 1) // only if a sandbox is opened
		is.Equal(node.opts.Runtime, "node-minimal")
		is.Equal(node.opts.Mounts[1].Target, "/app") // the runtime's own work dir
		is.Equal(node.opts.Memory, int64(128<<20))
		is.Equal(node.opts.Env["A"], "2")
		is.Equal(f.opts.Env["A"], "1") // the template is nobody's to change
		is.Equal(b.c.Sandbox.Mounts[0].ReadOnly, false)

		im := b.mustGet(is, "im", &GetOptions{Image: "busybox", Configure: func(o *sandbox.Options) { o.WorkDir = "/w" }})
		is.Equal(im.opts.Image+im.opts.Runtime, "busybox")
		is.Equal(im.opts.Mounts[1].Target, "/w")

		for _, o := range []GetOptions{{Runtime: "node-minimal"}, {Image: "busybox"}} {
			_, err := b.get(ctx, "py", &o)
			is.True(errors.Is(err, ErrMismatch))
			is.True(strings.Contains(err.Error(), "it has runtime python-minimal, and"))
		}
		_, err := b.get(ctx, "new", &GetOptions{Runtime: "x", Image: "y"})
		is.True(err != nil)
		_, err = b.get(ctx, "new", &GetOptions{Runtime: "no-such-runtime"})
		is.True(err != nil)
		is.Equal(b.Count(), 3)

		var ids, infos []string
		for id, info := range b.All() {
			ids = append(ids, id)
			infos = append(infos, info.Runtime+" "+info.Container+" "+filepath.Base(info.Workspace))
			is.Equal(info.Image, "image-of-"+info.Container)
			is.Equal(info.ID, id)
		}
		is.Equal(ids, []string{"im", "js", "py"})
		is.Equal(infos, []string{" sandbox2 im", "node-minimal sandbox1 js", "python-minimal sandbox0 py"})
		for id := range b.All() {
			is.NoErr(b.Release(ctx, id, nil)) // a loop may end sessions
			break
		}
		is.Equal(b.Count(), 2)
	})
}
