package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/session"
)

// busybox is the small image with a shell that scripts/setup makes.
const busybox = "localhost/drydock/busybox:1"

// child and childRoot are set in the process that TestEndsWithItsProcess kills: the prefix of
// its containers' names, and its workspace root.
const (
	child     = "DRYDOCK_TEST_SESSION_CHILD"
	childRoot = "DRYDOCK_TEST_SESSION_ROOT"
)

var ctx = context.Background()

func TestMain(m *testing.M) {
	if prefix := os.Getenv(child); prefix != "" {
		holdSessions(prefix)
	}
	// The runtime keeps two descriptors from the first pipe on.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	goroutines, files := runtime.NumGoroutine(), descriptors()
	code := m.Run()
	if code == 0 {
		if err := waitFor(func() bool { return runtime.NumGoroutine() <= goroutines && descriptors() <= files }); err != nil {
			fmt.Printf("leaked: %d goroutines, then %d; %d descriptors, then %d\n",
				goroutines, runtime.NumGoroutine(), files, descriptors())
			_ = pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
			code = 1
		}
	}
	os.Exit(code)
}

// descriptors returns how many files are open, or 0 if the system does not say.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func waitFor(cond func() bool) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if cond() {
			return nil
		}
	}
	return errors.New("did not happen within 10 s")
}

var engines = sync.OnceValue(func() sandbox.Engine {
	return sandbox.Docker(&dockercli.Client{Path: os.Getenv("DRYDOCK_TEST_ENGINE")})
})

// users is a manager whose containers' names begin with a prefix of the test's own.
type users struct {
	*session.Manager
	cli, prefix string
	count       atomic.Int64 // of the sandboxes it opened

	mu      sync.Mutex
	reasons map[string]session.Reason
}

// manage returns a manager that is closed with the test. The test fails if a container is
// left.
func manage(t testing.TB, opts session.Options) *users {
	t.Helper()
	u := &users{cli: os.Getenv("DRYDOCK_TEST_ENGINE"), reasons: make(map[string]session.Reason)}
	if u.cli == "" {
		t.Skip("DRYDOCK_TEST_ENGINE names no engine: run scripts/test")
	}
	u.prefix = fmt.Sprintf("drydock-test-session-%d-%d-", os.Getpid(), time.Now().UnixNano())
	opts.Sandbox.Engine = engines()
	if opts.Sandbox.Image+opts.Sandbox.Snapshot == "" {
		opts.Sandbox.Image = busybox
	}
	opts.OnRelease = func(id string, reason session.Reason) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.reasons[id] = reason
	}
	m, err := session.New(&opts)
	if err != nil {
		t.Fatal(err)
	}
	u.Manager = m
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if left := u.containers(t); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
	return u
}

func (u *users) reason(id string) session.Reason {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.reasons[id]
}

// get opens a session whose container has a name with the prefix.
func (u *users) get(id string) (*sandbox.Sandbox, error) {
	return u.getOn(id, session.GetOptions{})
}

// getOn does so with options.
func (u *users) getOn(id string, opts session.GetOptions) (*sandbox.Sandbox, error) {
	opts.Configure = func(o *sandbox.Options) {
		o.Name = fmt.Sprint(u.prefix, u.count.Add(1))
	}
	return u.Get(ctx, id, &opts)
}

// mustGet opens a session, or finds it open.
func (u *users) mustGet(is *is.I, id string) *sandbox.Sandbox {
	is.Helper()
	sb, err := u.get(id)
	is.NoErr(err)
	return sb
}

// containers returns the names of the manager's containers, running or not.
func (u *users) containers(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command(u.cli, "ps", "--all", "--format={{.Names}}", "--filter=name=^/?"+u.prefix).CombinedOutput()
	if err != nil {
		t.Fatalf("%s ps: %v: %s", u.cli, err, out)
	}
	return strings.Fields(string(out))
}

func run(is *is.I, sb *sandbox.Sandbox, script string) string {
	is.Helper()
	r, err := sb.Exec(ctx, script)
	is.NoErr(err)
	return string(r.Stdout) + string(r.Stderr)
}

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

func TestThousandGets(t *testing.T) {
	is := is.New(t)
	u := manage(t, session.Options{WorkspaceRoot: t.TempDir()})
	begin := time.Now()
	sandboxes := make([]*sandbox.Sandbox, 1000)
	var wg sync.WaitGroup
	for i := range sandboxes {
		wg.Go(func() {
			sb, err := u.get("one")
			if err != nil {
				t.Error(err)
			}
			sandboxes[i] = sb
		})
	}
	wg.Wait()
	took := time.Since(begin)
	is.Equal(u.count.Load(), int64(1))
	is.Equal(len(u.containers(t)), 1)
	is.Equal(len(slices.Compact(sandboxes)), 1)
	is.Equal(run(is, sandboxes[0], "echo hello"), "hello\n")
	t.Logf("1,000 Gets, one container, %v", took)
}

func TestBurst(t *testing.T) {
	is := is.New(t)
	const room, refused = 8, 20
	u := manage(t, session.Options{Max: room})
	begin := time.Now()
	errs := make([]error, room+refused)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = u.get(fmt.Sprint("id-", i)) })
	}
	wg.Wait()
	took := time.Since(begin)
	full := 0
	for _, err := range errs {
		if _, ok := errors.AsType[*session.Error](err); ok && errors.Is(err, session.ErrFull) {
			full++
		} else {
			is.NoErr(err)
		}
	}
	is.Equal(full, refused)
	is.Equal(u.count.Load(), int64(room)) // no more were ever opened
	is.Equal(len(u.containers(t)), room)

	// Waiting for room gets it when one is released.
	got := make(chan error, 1)
	go func() {
		_, err := u.Get(ctx, "late", &session.GetOptions{Wait: time.Minute, Configure: func(o *sandbox.Options) {
			o.Name = u.prefix + "late"
		}})
		got <- err
	}()
	for id := range u.All() {
		is.NoErr(u.Release(ctx, id, nil))
		break
	}
	is.NoErr(<-got)
	is.Equal(len(u.containers(t)), room)
	t.Logf("%d at once: %d opened, %d refused, %v", room+refused, room, full, took)
}

func TestLongCommand(t *testing.T) {
	is := is.New(t)
	const idle = 500 * time.Millisecond
	u := manage(t, session.Options{IdleTimeout: idle, SweepInterval: 50 * time.Millisecond})
	sb := u.mustGet(is, "a")
	begin := time.Now()
	r, err := sb.Exec(ctx, "sleep 3; echo done")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "done\n")
	took := time.Since(begin)
	is.True(took > 5*idle)
	is.True(sb.Alive())
	<-sb.Done()
	after := time.Since(begin) - took
	is.True(after > idle/2) // not as soon as the command ended
	is.NoErr(waitFor(func() bool { return u.Count() == 0 }))
	is.Equal(u.reason("a"), session.ReasonIdle)
	is.Equal(len(u.containers(t)), 0)
	t.Logf("a command of %v with an idle timeout of %v; gone %v after it", took, idle, after)
}

func TestDeadReplaced(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	u := manage(t, session.Options{WorkspaceRoot: root, Max: 1})
	sb := u.mustGet(is, "a")
	is.Equal(run(is, sb, "echo kept > file"), "")
	out, err := exec.Command(u.cli, "kill", sb.Name()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	begin := time.Now()
	is.NoErr(waitFor(func() bool { return !sb.Alive() }))
	known := time.Since(begin)
	next := u.mustGet(is, "a") // its container may still be there
	took := time.Since(begin)
	is.True(next != sb)
	is.True(errors.Is(sb.Err(), sandbox.ErrLost))
	is.Equal(u.reason("a"), session.ReasonLost)
	is.Equal(run(is, next, "cat file; id -u"), fmt.Sprintf("kept\n%d\n", first(sb.User())))
	is.Equal(u.containers(t), []string{next.Name()})

	// Noticed without a Get.
	is.NoErr(exec.Command(u.cli, "kill", next.Name()).Run())
	is.NoErr(waitFor(func() bool { return u.Count() == 0 }))
	is.Equal(len(u.containers(t)), 0)

	// The workspace is deleted with no session open, and with one.
	is.NoErr(u.Release(ctx, "a", &session.ReleaseOptions{DeleteWorkspace: true}))
	last := u.mustGet(is, "a")
	is.Equal(run(is, last, "ls -A; mkdir -p d/e; touch d/e/f; chmod 0 d"), "")
	is.NoErr(u.Release(ctx, "a", &session.ReleaseOptions{DeleteWorkspace: true}))
	entries, err := os.ReadDir(root)
	is.NoErr(err)
	is.Equal(len(entries), 0)
	t.Logf("known to be dead %v after docker kill returned, replaced after %v", known, took)
}

func first(uid, _ int) int { return uid }

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

// A session that cannot be opened leaves neither container nor directory nor room taken.
func TestFailedOpenLeavesNothing(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	u := manage(t, session.Options{WorkspaceRoot: root, Max: 1,
		Sandbox: sandbox.Options{Image: "localhost/drydock/no-such-image:1", Offline: true}})
	for range 2 {
		_, err := u.get("a")
		is.True(errors.Is(err, sandbox.ErrOffline) || errors.Is(err, sandbox.ErrNoImage))
		is.Equal(u.Count(), 0)
	}
	entries, err := os.ReadDir(root)
	is.NoErr(err)
	is.Equal(len(entries), 0)
	is.Equal(len(u.containers(t)), 0)
}

// holdSessions is the process that is killed: it opens three sessions, starts a command in one
// of them, says that it is ready and sleeps.
func holdSessions(prefix string) {
	m, err := session.New(&session.Options{
		Sandbox:       sandbox.Options{Image: busybox, Engine: engines()},
		WorkspaceRoot: os.Getenv(childRoot),
	})
	for i := 0; i < 3 && err == nil; i++ {
		var sb *sandbox.Sandbox
		sb, err = m.Get(context.Background(), fmt.Sprint("id-", i), &session.GetOptions{
			Configure: func(o *sandbox.Options) { o.Name = fmt.Sprint(prefix, i) },
		})
		if err == nil {
			_, err = sb.WriteFile(context.Background(), "file", []byte("kept"), nil)
		}
		if err == nil && i == 0 {
			err = sb.Command("sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done").Start(context.Background())
		}
	}
	fmt.Println("ready", err)
	select {}
}

func TestEndsWithItsProcess(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	u := manage(t, session.Options{WorkspaceRoot: root})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+u.prefix, childRoot+"="+root)
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	line := make([]byte, 500)
	n, _ := out.Read(line)
	if string(line[:n]) != "ready <nil>\n" {
		_ = cmd.Process.Kill()
		t.Fatalf("the child said %q", line[:n])
	}
	is.Equal(len(u.containers(t)), 3)
	begin := time.Now()
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	is.NoErr(waitFor(func() bool { return len(u.containers(t)) == 0 }))
	t.Logf("3 sessions gone %v after SIGKILL of their process", time.Since(begin))
	for i := range 3 {
		sb := u.mustGet(is, fmt.Sprint("id-", i))
		is.Equal(run(is, sb, "cat file"), "kept")
	}
}
