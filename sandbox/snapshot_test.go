package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// snapshotName is a name of this test's own, whose snapshot is removed after it.
func snapshotName(t *testing.T, e engine.Engine) string {
	name := fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		if err := sandbox.RemoveSnapshot(context.Background(), e, name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// fill writes files of all sorts into the work dir and the home.
func fill(t *testing.T, sb *sandbox.Sandbox) {
	t.Helper()
	ctx := context.Background()
	for name, mode := range map[string]fs.FileMode{"a": 0o640, "dir/run me": 0o755, "all bytes \xff\n": 0o600, sandbox.Home + "/.config/x": 0o644} {
		if _, err := sb.WriteFile(ctx, name, allBytes(), &sandbox.WriteOptions{Mode: mode}); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		sb.Symlink(ctx, "/bin/sh", "shell"), // as a venv has one
		sb.Symlink(ctx, "nowhere", "dir/dangling"),
		sb.MkdirAll(ctx, "empty", 0o700),
		sb.Chtimes(ctx, "a", time.Time{}, time.Unix(1_000_000_000, 0)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// listing describes the files of a sandbox.
func listing(t *testing.T, sb *sandbox.Sandbox) string {
	t.Helper()
	var out []string
	for _, dir := range []string{"", sandbox.Home} {
		for m, err := range sb.Walk(context.Background(), dir, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Path == dir {
				continue
			}
			uid, _ := m.Owner()
			me, _ := sb.User()
			line := fmt.Sprintf("%q %v own=%v %q", m.Path, m.Mode(), uid == me, m.Target())
			if m.Mode().IsRegular() {
				line += fmt.Sprint(" ", m.Size(), " ", m.ModTime().UnixNano())
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// A snapshot restores the same files on every image, under another uid and more than once.
func TestSnapshot(t *testing.T) {
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	for _, image := range everyImage {
		t.Run(image, func(t *testing.T) {
			is := is.New(t)
			name := snapshotName(t, e)
			sb := enginetest.Open(t, sandbox.Options{Image: image, Lease: time.Minute})
			fill(t, sb)
			want := listing(t, sb)
			is.NoErr(sb.Snapshot(ctx, name))
			// An attached one can be saved as well, under the same name.
			is.NoErr(sb.Detach())
			sb, err := sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
			is.NoErr(err)
			defer sb.Close()
			is.NoErr(sb.Snapshot(ctx, name))
			is.NoErr(sb.Close())
			is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)

			again := enginetest.Open(t, sandbox.Options{Snapshot: name})
			is.Equal(listing(t, again), want)
			is.Equal(again.WorkDir(), sb.WorkDir())
			_, err = again.WriteFile(ctx, "later", []byte("x"), nil)
			is.NoErr(err)
			second := snapshotName(t, e)
			is.NoErr(again.Snapshot(ctx, second)) // of one that was opened from one
			third := enginetest.Open(t, sandbox.Options{Snapshot: second})
			later, err := third.ReadFile(ctx, "later", nil)
			is.NoErr(err)
			is.Equal(string(later), "x")

			// Back to the first.
			_, err = third.WriteFile(ctx, "a", []byte("changed"), nil)
			is.NoErr(err)
			is.NoErr(third.Rollback(ctx, name))
			is.Equal(listing(t, third), want)

			all, err := sandbox.Snapshots(ctx, e)
			is.NoErr(err)
			i := slices.IndexFunc(all, func(s sandbox.SnapshotInfo) bool { return s.Name == second })
			is.True(i >= 0)
			is.Equal(all[i].WorkDir, sb.WorkDir())
			first := all[slices.IndexFunc(all, func(s sandbox.SnapshotInfo) bool { return s.Name == name })]
			is.Equal(all[i].Base, first.Base) // not one upon the other, without end
		})
	}
}

// The files of a mounted work dir are saved, and restored only into an empty mount.
func TestSnapshotOfMounts(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	name := snapshotName(t, e)
	mounted := func() sandbox.Mount {
		dir := t.TempDir()
		is.NoErr(os.Chmod(dir, 0o755))
		return sandbox.Mount{Source: dir, Target: "/workspace"}
	}
	sb := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{mounted()}})
	fill(t, sb)
	want := listing(t, sb)
	is.NoErr(sb.Snapshot(ctx, name))
	forks, err := sb.Fork(ctx, 1)
	is.NoErr(err)
	is.NoErr(sb.RemoveAll(ctx, "dir"))
	is.Equal(listing(t, forks[0]), want) // has a copy, not the mount
	is.NoErr(forks[0].Close())

	target := mounted()
	again := enginetest.Open(t, sandbox.Options{Snapshot: name, Mounts: []sandbox.Mount{target}})
	is.Equal(listing(t, again), want)
	is.NoErr(again.RemoveAll(ctx, "dir"))
	is.NoErr(again.Close())
	_, err = os.Stat(filepath.Join(target.Source, "a"))
	is.NoErr(err)
	third := enginetest.Open(t, sandbox.Options{Snapshot: name, Mounts: []sandbox.Mount{target}})
	found, err := third.Exists(ctx, "dir")
	is.NoErr(err)
	is.True(!found) // what the mount has is what counts
}

func TestWritableRoot(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	name := snapshotName(t, e)
	sb := enginetest.Open(t, sandbox.Options{WritableRoot: true, User: "0"})
	r, err := sb.Exec(ctx, "set -e; echo kept > /usr/kept; mkdir -p /usr/x; echo here > there")
	is.NoErr(err)
	is.True(r.OK())
	is.NoErr(sb.Snapshot(ctx, name))
	is.True(sb.Alive())
	again := enginetest.Open(t, sandbox.Options{Snapshot: name})
	r, err = again.Exec(ctx, "cat /usr/kept there; ls -d /usr/x; id -u; echo more > /usr/kept")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "kept\nhere\n/usr/x\n0\n")
	for _, err := range []error{again.Rollback(ctx, name), second(again.Fork(ctx, 2)), again.Hibernate(ctx, name)} {
		is.Equal(codeOf(err), sandbox.CodeUnsupported)
	}
	is.True(again.Alive())
	plain := enginetest.Open(t, sandbox.Options{User: "0"})
	r, err = plain.Exec(ctx, "echo x > /usr/kept")
	is.NoErr(err)
	is.True(!r.OK()) // is read-only unless asked
}

func TestSnapshotRefused(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	for name, test := range map[string]struct {
		opts sandbox.Options
		want error
	}{
		"no such":       {sandbox.Options{Snapshot: "no-such-snapshot"}, sandbox.ErrNoImage},
		"bad name":      {sandbox.Options{Snapshot: "a/../b"}, fs.ErrInvalid},
		"flag":          {sandbox.Options{Snapshot: "--help"}, fs.ErrInvalid},
		"with an image": {sandbox.Options{Snapshot: "x", Image: "y"}, fs.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			test.opts.Engine = e
			_, err := sandbox.Open(ctx, &test.opts)
			is.True(errors.Is(err, test.want))
		})
	}
	sb := enginetest.Open(t, sandbox.Options{})
	_, err := sb.WriteFile(ctx, "locked", []byte("x"), nil)
	is.NoErr(err)
	is.NoErr(sb.Chmod(ctx, "locked", 0))
	name := snapshotName(t, e)
	err = sb.Snapshot(ctx, name)
	is.True(errors.Is(err, fs.ErrPermission)) // not without a part of it
	is.True(strings.Contains(err.Error(), "locked"))
	is.NoErr(sb.Close())
	is.True(errors.Is(sb.Snapshot(ctx, name), sandbox.ErrClosed))
}

// What is mounted in the work dir or the home is no part of a snapshot, and no reason not to
// put the rest back.
func TestSnapshotWithMounts(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	host := t.TempDir()
	is.NoErr(os.Chmod(host, 0o777))
	is.NoErr(os.WriteFile(filepath.Join(host, "precious"), []byte("1"), 0o666))
	is.NoErr(os.Chmod(filepath.Join(host, "precious"), 0o666))
	o := sandbox.Options{
		Mounts: []sandbox.Mount{{Source: host, Target: "/workspace/in/data"}, {Source: host, Target: sandbox.Home + "/data", ReadOnly: true}},
		Tmpfs:  map[string]int64{"/workspace/scratch": 1 << 20, "/tmp/more": 1 << 20},
	}
	sb := enginetest.Open(t, o)
	there := func(sb *sandbox.Sandbox, names ...string) {
		t.Helper()
		is.Helper()
		for _, name := range names {
			data, err := sb.ReadFile(ctx, name, nil)
			is.NoErr(err)
			is.Equal(string(data), "1") // name
		}
	}
	own := []string{"work", "own", sandbox.Home + "/home"}
	all := append([]string{"in/data/precious", sandbox.Home + "/data/precious"}, own...)
	for _, name := range append([]string{"scratch/x"}, own...) {
		_, err := sb.WriteFile(ctx, name, []byte("1"), nil)
		is.NoErr(err)
	}
	name := snapshotName(t, e)
	is.NoErr(sb.Snapshot(ctx, name))

	plain, err := sandbox.Open(ctx, &sandbox.Options{Engine: e, Snapshot: name})
	is.NoErr(err)
	defer plain.Close()
	there(plain, own...)
	for _, name := range []string{"in/data", "scratch", sandbox.Home + "/data"} {
		exists, err := plain.Exists(ctx, name)
		is.NoErr(err)
		is.True(!exists) // what other mounts had
	}
	opened := o
	opened.Engine, opened.Snapshot = e, name
	again, err := sandbox.Open(ctx, &opened)
	is.NoErr(err)
	defer again.Close()
	there(again, all...)

	forks, err := sb.Fork(ctx, 1)
	is.NoErr(err)
	defer forks[0].Close()
	there(forks[0], all...)

	is.NoErr(sb.RemoveAll(ctx, "own"))
	_, err = sb.WriteFile(ctx, "new", nil, nil)
	is.NoErr(err)
	is.NoErr(sb.Rollback(ctx, name))
	there(sb, all...)
	exists, err := sb.Exists(ctx, "new")
	is.NoErr(err)
	is.True(!exists)

	asleep := snapshotName(t, e)
	is.NoErr(sb.Hibernate(ctx, asleep))
	opened.Snapshot = ""
	woken, err := sandbox.Wake(ctx, asleep, &opened)
	is.NoErr(err)
	defer woken.Close()
	there(woken, all...)
}

// While a sandbox is saved, no file of this host is there to be left behind.
func TestSnapshotLeavesNoFile(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, err := sb.Exec(context.Background(), "head -c 50000000 /dev/zero > big")
	is.NoErr(err)
	name, done := snapshotName(t, e), make(chan error, 1)
	go func() { done <- sb.Snapshot(context.Background(), name) }()
	for {
		select {
		case err := <-done:
			is.NoErr(err)
			return
		case <-time.After(time.Millisecond):
			files, err := filepath.Glob(filepath.Join(temp, "drydock-*"))
			is.NoErr(err)
			for _, f := range files {
				info, err := os.Stat(f)
				is.True(err != nil || info.Size() == 0) // its name was about to go
			}
		}
	}
}

// A snapshot that has files where a mount is now does not write them into it.
func TestSnapshotIntoMount(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	name := snapshotName(t, e)
	sb := enginetest.Open(t, sandbox.Options{})
	for _, file := range []string{"data/x", "data/deep/y", "else"} {
		_, err := sb.WriteFile(ctx, file, []byte("snapshot"), nil)
		is.NoErr(err)
	}
	is.NoErr(sb.Snapshot(ctx, name))
	host := t.TempDir()
	is.NoErr(os.WriteFile(filepath.Join(host, "x"), []byte("host"), 0o644))
	is.NoErr(os.Chmod(host, 0o777))
	for _, readOnly := range []bool{true, false} {
		again := enginetest.Open(t, sandbox.Options{Snapshot: name, Mounts: []sandbox.Mount{{Source: host, Target: "/workspace/data", ReadOnly: readOnly}}})
		text, err := again.ReadFile(ctx, "data/x", nil)
		is.NoErr(err)
		is.Equal(string(text), "host")
		text, err = again.ReadFile(ctx, "else", nil)
		is.NoErr(err)
		is.Equal(string(text), "snapshot")
		entries, err := os.ReadDir(host)
		is.NoErr(err)
		is.Equal(len(entries), 1)
	}
}
