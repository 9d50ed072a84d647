package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/session"
)

// 50 users at once, each with a workspace: nobody sees what another writes.
func TestUsers(t *testing.T) {
	is := is.New(t)
	const n = 50
	root := t.TempDir()
	u := manage(t, session.Options{
		WorkspaceRoot: root,
		Sandbox:       sandbox.Options{Memory: 64 << 20, CPUs: 0.5, PIDs: 64},
	})
	id := func(i int) string { return fmt.Sprintf("user-%02d", i) }
	begin := time.Now()
	sandboxes := make([]*sandbox.Sandbox, n)
	each := func(do func(i int) error) {
		t.Helper()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if err := do(i); err != nil {
					t.Errorf("%s: %v", id(i), err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	each(func(i int) (err error) {
		sandboxes[i], err = u.get(id(i))
		return err
	})
	opened := time.Since(begin)
	is.Equal(len(u.containers(t)), n)
	is.Equal(u.Count(), n)

	// From inside. Scripts write the marker in two halves, so that none of them holds it.
	each(func(i int) error {
		for _, script := range []string{
			fmt.Sprintf(`echo "secret""-of-%s" > file; cp file ~/file; cp file /tmp/file`, id(i)),
			// Paths that could lead to another user: the host's, and links to it.
			fmt.Sprintf(`ln -s %s/%s/file link; ln -s ../%s/file up`, root, id((i+1)%n), id((i+1)%n)),
		} {
			if r, err := sandboxes[i].Exec(ctx, script); err != nil || !r.OK() {
				return fmt.Errorf("%v: %v", r, err)
			}
		}
		return nil
	})
	each(func(i int) error {
		r, err := sandboxes[i].Exec(ctx, `cat link up 2>/dev/null
			find / \( -path /proc -o -path /sys \) -prune -o -name file -print 2>/dev/null | sort
			grep -rhs 'secret''-of-' /workspace /tmp /home /mnt /srv /var /run /root | sort -u
			for p in /proc/[0-9]*; do tr '\0' ' ' < $p/cmdline; done 2>/dev/null | grep 'user''-[0-9]'
			ls /workspace`)
		if err != nil {
			return err
		}
		want := fmt.Sprintf("/home/sandbox/file\n/tmp/file\n/workspace/file\nsecret-of-%s\nfile\nlink\nup\n", id(i))
		if string(r.Stdout) != want {
			return fmt.Errorf("saw %q, want %q", r.Stdout, want)
		}
		return nil
	})

	// On the host: everybody's own file and nothing else, of a user of their own.
	check := func() {
		t.Helper()
		uids := make(map[uint32]bool)
		for i := range n {
			dir := filepath.Join(root, id(i))
			entries, err := os.ReadDir(dir)
			is.NoErr(err)
			is.Equal(len(entries), 3)
			data, err := os.ReadFile(filepath.Join(dir, "file"))
			is.NoErr(err)
			is.Equal(string(data), "secret-of-"+id(i)+"\n")
			info, err := os.Stat(dir)
			is.NoErr(err)
			is.Equal(info.Mode(), fs.ModeDir|0o700)
			uid, _ := sandboxes[i].User()
			owner := ownerOf(t, dir)
			switch {
			case ownTable(t): // root on rootful docker: a uid for each
				is.Equal(owner, uint32(uid))
				is.True(owner >= 200000 && owner <= 265535)
				is.True(!uids[owner]) // two users have one uid
				uids[owner] = true
			default: // the caller's
				is.Equal(owner, uint32(os.Getuid()))
			}
			is.Equal(ownerOf(t, filepath.Join(dir, "file")), owner)
		}
	}
	check()

	// What the engine has applied.
	raw, err := exec.Command(u.cli, append([]string{"inspect"}, u.containers(t)...)...).Output()
	is.NoErr(err)
	var all []struct {
		Name       string
		HostConfig struct {
			Memory, MemorySwap, NanoCpus, PidsLimit int64
			NetworkMode                             string
		}
		Mounts []struct {
			Type, Source, Destination string
			RW                        bool
		}
	}
	is.NoErr(json.Unmarshal(raw, &all))
	is.Equal(len(all), n)
	sources := make(map[string]bool)
	for _, c := range all {
		is.Equal(c.HostConfig.Memory, int64(64<<20))
		is.Equal(c.HostConfig.MemorySwap, int64(64<<20))
		is.Equal(c.HostConfig.NanoCpus, int64(5e8))
		is.Equal(c.HostConfig.PidsLimit, int64(64+32)) // with the guest's room
		is.Equal(c.HostConfig.NetworkMode, "none")
		binds := 0
		for _, m := range c.Mounts {
			if m.Type == "bind" {
				binds++
				sources[m.Source] = true
				is.True(m.RW && m.Destination == "/workspace" && filepath.Dir(m.Source) == root)
			}
		}
		is.Equal(binds, 1)
	}
	is.Equal(len(sources), n)

	// Half are released, the rest go with the manager.
	begin = time.Now()
	each(func(i int) error {
		if i%2 == 0 {
			return nil
		}
		return u.Release(ctx, id(i), nil)
	})
	released := time.Since(begin)
	is.Equal(len(u.containers(t)), n/2)
	is.Equal(u.Count(), n/2)
	begin = time.Now()
	is.NoErr(u.Shutdown(ctx))
	shut := time.Since(begin)
	is.Equal(len(u.containers(t)), 0)
	is.Equal(u.Count(), 0)
	check()
	is.Equal(u.reason(id(0)), session.ReasonShutdown)
	is.Equal(u.reason(id(1)), session.ReasonReleased)

	// Another manager on this root finds the workspaces, and runs as their owners.
	again := manage(t, session.Options{WorkspaceRoot: root})
	for i := range 3 {
		sb := again.mustGet(is, id(i))
		uid, _ := sb.User()
		before, _ := sandboxes[i].User()
		is.Equal(uid, before)
		is.Equal(run(is, sb, "cat file && echo more >> file && tail -n 1 file"), "secret-of-"+id(i)+"\nmore\n")
	}
	t.Logf("%d users: open in %v, %d released in %v, %d shut down in %v", n, opened, n/2, released, n-n/2, shut)
}

// ownTable reports whether every sandbox gets a uid of its own here.
func ownTable(t testing.TB) bool {
	t.Helper()
	info, err := engines().Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return os.Getuid() == 0 && !info.Rootless
}

// Two managers, as in two processes, that open the same ids on one root for the first time
// give each workspace one owner.
func TestTwoManagers(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	var both [2]*users
	for i := range both {
		both[i] = manage(t, session.Options{WorkspaceRoot: root})
	}
	const n = 4
	var sandboxes [2][n]*sandbox.Sandbox
	var wg sync.WaitGroup
	for m := range both {
		for i := range n {
			wg.Go(func() {
				sb, err := both[m].get(fmt.Sprint("id-", i))
				if err != nil {
					t.Error(err)
				}
				sandboxes[m][i] = sb
			})
		}
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i := range n {
		for m := range both {
			is.Equal(run(is, sandboxes[m][i], fmt.Sprintf("echo %d >> file && chmod a+rw file", m)), "")
		}
		is.Equal(run(is, sandboxes[0][i], "cat file"), "0\n1\n")
		if ownTable(t) {
			uid, _ := sandboxes[0][i].User()
			is.Equal(ownerOf(t, filepath.Join(root, fmt.Sprint("id-", i))), uint32(uid))
		}
	}
}

// A user named in the options can write to a workspace, too.
func TestNamedUser(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	u := manage(t, session.Options{WorkspaceRoot: root, Sandbox: sandbox.Options{User: "1234:1235"}})
	if !ownTable(t) {
		t.Skip("only root can give a directory away, and only where uids are the host's own")
	}
	is.Equal(run(is, u.mustGet(is, "a"), "touch file && id -u"), "1234\n")
	is.Equal(ownerOf(t, filepath.Join(root, "a")), uint32(1234))
	is.Equal(ownerOf(t, filepath.Join(root, "a", "file")), uint32(1234))
}

// A session is opened on a snapshot, which the manager's options name or a Get does; a
// workspace is filled from it once.
func TestSnapshot(t *testing.T) {
	is := is.New(t)
	name := fmt.Sprintf("test-session-%d-%d", os.Getpid(), time.Now().UnixNano())
	u := manage(t, session.Options{})
	t.Cleanup(func() {
		if err := sandbox.RemoveSnapshot(ctx, engines(), name); err != nil {
			t.Error(err)
		}
	})
	// Sessions end before the snapshot that they run is removed.
	root := t.TempDir()
	byManager := manage(t, session.Options{Sandbox: sandbox.Options{Snapshot: name}})
	byGet := manage(t, session.Options{})
	inWorkspace := manage(t, session.Options{WorkspaceRoot: root})
	is.Equal(run(is, u.mustGet(is, "a"), "echo saved > file"), "")
	is.NoErr(u.mustGet(is, "a").Snapshot(ctx, name))

	is.Equal(run(is, byManager.mustGet(is, "a"), "cat file; echo more >> file"), "saved\n")
	is.Equal(run(is, byManager.mustGet(is, "b"), "cat file"), "saved\n") // each has its own

	onSnapshot := session.GetOptions{Snapshot: name}
	sb, err := byGet.getOn("a", onSnapshot)
	is.NoErr(err)
	is.Equal(run(is, sb, "cat file"), "saved\n")
	_, err = byGet.getOn("a", session.GetOptions{Image: busybox})
	is.True(errors.Is(err, session.ErrMismatch))
	_, err = byGet.getOn("b", session.GetOptions{Snapshot: name + "-missing"})
	is.True(errors.Is(err, sandbox.ErrNoImage))

	sb, err = inWorkspace.getOn("a", onSnapshot)
	is.NoErr(err)
	is.Equal(run(is, sb, "cat file; echo mine > file"), "saved\n")
	is.NoErr(inWorkspace.Release(ctx, "a", nil))
	data, err := os.ReadFile(filepath.Join(root, "a", "file"))
	is.NoErr(err)
	is.Equal(string(data), "mine\n")
	sb, err = inWorkspace.getOn("a", onSnapshot)
	is.NoErr(err)
	is.Equal(run(is, sb, "cat file"), "mine\n") // and not the snapshot's again
	_, err = inWorkspace.getOn("b", session.GetOptions{Snapshot: name + "-missing"})
	is.True(errors.Is(err, sandbox.ErrNoImage))
	_, err = os.Stat(filepath.Join(root, "b"))
	is.True(errors.Is(err, fs.ErrNotExist))
}
