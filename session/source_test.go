package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

// A source that GetOptions name replaces the one of the manager's options, whatever the kinds.
func TestSource(t *testing.T) {
	const runtime = "node-minimal"
	for _, test := range []struct {
		name    string
		manager sandbox.Options
		get     GetOptions
		want    source
	}{
		{"nobody names one", sandbox.Options{}, GetOptions{}, source{runtime: sandbox.DefaultRuntime}},
		{"manager's runtime", sandbox.Options{Runtime: runtime}, GetOptions{}, source{runtime: runtime}},
		{"manager's image", sandbox.Options{Image: "busybox"}, GetOptions{}, source{image: "busybox"}},
		{"manager's snapshot", sandbox.Options{Snapshot: "saved"}, GetOptions{}, source{snapshot: "saved"}},
		{"Get's runtime", sandbox.Options{}, GetOptions{Runtime: runtime}, source{runtime: runtime}},
		{"Get's image", sandbox.Options{}, GetOptions{Image: "busybox"}, source{image: "busybox"}},
		{"Get's snapshot", sandbox.Options{}, GetOptions{Snapshot: "saved"}, source{snapshot: "saved"}},
		{"runtime over snapshot", sandbox.Options{Snapshot: "saved"}, GetOptions{Runtime: runtime}, source{runtime: runtime}},
		{"image over runtime", sandbox.Options{Runtime: runtime}, GetOptions{Image: "busybox"}, source{image: "busybox"}},
		{"snapshot over image", sandbox.Options{Image: "busybox"}, GetOptions{Snapshot: "saved"}, source{snapshot: "saved"}},
		{"snapshot over snapshot", sandbox.Options{Snapshot: "saved"}, GetOptions{Snapshot: "other"}, source{snapshot: "other"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, is *is.I) {
				b := newBench(t, Options{Sandbox: test.manager})
				seen := source{}
				get := test.get
				get.Configure = func(o *sandbox.Options) { seen = sourceOf(o) }
				f := b.mustGet(is, "a", &get)
				is.Equal(sourceOf(&f.opts), test.want)
				is.Equal(seen, test.want) // Configure is shown it
				is.Equal(b.mustGet(is, "a", &test.get), f)
				is.Equal(b.mustGet(is, "a", nil), f) // whatever it was opened with
				for _, info := range b.All() {
					is.Equal(info.Runtime, test.want.runtime)
				}
			})
		})
	}
}

// A Get of another source than the session is open on is refused, with both in the text.
func TestSourceMismatch(t *testing.T) {
	sources := map[string]GetOptions{
		"runtime node-minimal": {Runtime: "node-minimal"},
		"image busybox":        {Image: "busybox"},
		"snapshot saved":       {Snapshot: "saved"},
	}
	for open, opened := range sources {
		for ask, asked := range sources {
			t.Run(open+", "+ask, func(t *testing.T) {
				bubble(t, func(t *testing.T, is *is.I) {
					b := newBench(t, Options{})
					b.mustGet(is, "a", &opened)
					_, err := b.get(ctx, "a", &asked)
					if open == ask {
						is.NoErr(err)
						return
					}
					is.True(errors.Is(err, ErrMismatch))
					want := fmt.Sprintf("it has %s, and %s was asked for", open, ask)
					is.True(strings.Contains(err.Error(), want)) // got another text
				})
			})
		}
	}
}

// Two sources are refused in either options, before anything is opened.
func TestSourceOfTwoKinds(t *testing.T) {
	for name, two := range map[string]source{
		"runtime and image":    {runtime: "x", image: "y"},
		"runtime and snapshot": {runtime: "x", snapshot: "z"},
		"image and snapshot":   {image: "y", snapshot: "z"},
		"all three":            {runtime: "x", image: "y", snapshot: "z"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			const want = ": more than one of Runtime, Image and Snapshot are set: give one of them"
			_, err := New(&Options{Sandbox: sandbox.Options{Runtime: two.runtime, Image: two.image, Snapshot: two.snapshot}})
			is.True(err != nil && strings.Contains(err.Error(), want)) // of the manager

			b := newBench(t, Options{})
			_, err = b.get(ctx, "a", &GetOptions{Runtime: two.runtime, Image: two.image, Snapshot: two.snapshot})
			is.True(err != nil && strings.Contains(err.Error(), want)) // of Get
			is.Equal(b.Count(), 0)
		})
	}
}

// Configure cannot change the source: other Gets were compared with it before.
func TestSourceConfigured(t *testing.T) {
	for name, test := range map[string]struct {
		manager   sandbox.Options
		configure func(*sandbox.Options)
		want      string
	}{
		"the same":         {sandbox.Options{Snapshot: "saved"}, func(o *sandbox.Options) { o.Snapshot = "saved" }, ""},
		"a snapshot":       {sandbox.Options{}, func(o *sandbox.Options) { o.Snapshot = "saved" }, "runtime python-minimal to runtime python-minimal and snapshot saved"},
		"only a snapshot":  {sandbox.Options{}, func(o *sandbox.Options) { o.Runtime, o.Snapshot = "", "saved" }, "runtime python-minimal to snapshot saved"},
		"another snapshot": {sandbox.Options{Snapshot: "saved"}, func(o *sandbox.Options) { o.Snapshot = "other" }, "snapshot saved to snapshot other"},
		"no snapshot":      {sandbox.Options{Snapshot: "saved"}, func(o *sandbox.Options) { o.Snapshot = "" }, "snapshot saved to nothing"},
		"an image":         {sandbox.Options{}, func(o *sandbox.Options) { o.Runtime, o.Image = "", "busybox" }, "runtime python-minimal to image busybox"},
		"another runtime":  {sandbox.Options{Image: "busybox"}, func(o *sandbox.Options) { o.Image, o.Runtime = "", "node-minimal" }, "image busybox to runtime node-minimal"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, is *is.I) {
				b := newBench(t, Options{Sandbox: test.manager})
				_, err := b.get(ctx, "a", &GetOptions{Configure: test.configure})
				if test.want == "" {
					is.NoErr(err)
					return
				}
				is.Equal(err.Error(), `session "a": get: GetOptions.Configure changed the source from `+test.want+
					": name it in GetOptions.Runtime, Image or Snapshot")
				is.Equal(b.Count(), 0)
				is.Equal(b.opens(), 0)
			})
		})
	}
}

// The workspace is mounted at the work dir of whatever the session is opened on.
func TestSourceWorkDir(t *testing.T) {
	for name, test := range map[string]struct {
		get     GetOptions
		workDir string // in Configure
		want    string
	}{
		"runtime":              {GetOptions{Runtime: "node-minimal"}, "", "/app"},
		"image":                {GetOptions{Image: "busybox"}, "", "/workspace"},
		"snapshot":             {GetOptions{Snapshot: "saved"}, "", "/srv/app"},
		"runtime, configured":  {GetOptions{Runtime: "node-minimal"}, "/w", "/w"},
		"snapshot, configured": {GetOptions{Snapshot: "saved"}, "/w", "/w"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, is *is.I) {
				b := newBench(t, Options{WorkspaceRoot: t.TempDir()})
				if test.want == "/srv/app" {
					b.findWorkDir = func(context.Context, string) (string, error) { return "/srv/app", nil }
				}
				test.get.Configure = func(o *sandbox.Options) { o.WorkDir = test.workDir }
				f := b.mustGet(is, "a", &test.get)
				is.Equal(f.opts.WorkDir, test.want)
				is.Equal(f.opts.Mounts[0].Target, test.want)
			})
		})
	}
}

// A work dir that cannot be found leaves neither a directory nor room taken.
func TestSourceWorkDirFails(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		root := t.TempDir()
		b := newBench(t, Options{WorkspaceRoot: root, Max: 1})
		missing := fmt.Errorf("%w: there is no snapshot gone", sandbox.ErrNoImage)
		b.findWorkDir = func(_ context.Context, snapshot string) (string, error) {
			is.Equal(snapshot, "gone")
			return "", missing
		}
		_, err := b.get(ctx, "a", &GetOptions{Snapshot: "gone"})
		is.True(errors.Is(err, sandbox.ErrNoImage))
		is.Equal(b.Count(), 0)

		b.findWorkDir = func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done() // nobody waits any more
			return "", context.Cause(ctx)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = b.get(short, "a", &GetOptions{Snapshot: "saved"})
		is.True(errors.Is(err, context.DeadlineExceeded))
		synctest.Wait()
		is.Equal(b.Count(), 0)
		is.Equal(b.opens(), 0)
		entries, err := os.ReadDir(root)
		is.NoErr(err)
		is.Equal(len(entries), 0)
	})
}
