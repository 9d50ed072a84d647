package session_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
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
	flag.Parse()
	if skip := flag.Lookup("test.skip"); os.Getenv("DRYDOCK_TEST_ENGINE") == "" && skip.Value.String() == "" {
		// These examples need an engine, and an example cannot skip itself.
		if err := skip.Value.Set("^Example.*_engine$"); err != nil {
			panic(err)
		}
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

var engines = sync.OnceValue(func() engine.Engine {
	return engine.Docker(&dockercli.Client{Path: os.Getenv("DRYDOCK_TEST_ENGINE")})
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
