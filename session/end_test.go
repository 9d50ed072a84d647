package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/session"
)

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

// A session that cannot be opened leaves neither container nor directory nor room taken.
func TestFailedOpenLeavesNothing(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	u := manage(t, session.Options{WorkspaceRoot: root, Max: 1,
		Sandbox: sandbox.Options{Image: "localhost/drydock/no-such-image:1", Images: &image.Builder{Offline: true}}})
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
