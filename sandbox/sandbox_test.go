package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

func with(c *sandbox.Command, change func(*sandbox.Command)) *sandbox.Command {
	change(c)
	return c
}

func TestLost(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	cmd := sb.Command("sh", "-c", "echo partial; sleep 60")
	is.NoErr(cmd.Start(ctx))
	is.NoErr(waitFor(func() bool {
		r, err := sb.Exec(ctx, "ps -o args | grep -c '[s]leep 60'")
		return err == nil && strings.TrimSpace(string(r.Stdout)) != "0"
	}))
	out, err := exec.Command(cli, "kill", sb.Name()).CombinedOutput()
	is.NoErr(err)
	_ = out
	r, err := cmd.Wait()
	is.True(errors.Is(err, sandbox.ErrLost))
	is.Equal(r.Outcome, sandbox.Lost)
	is.Equal(string(r.Stdout), "partial\n") // what had come is kept
	<-sb.Done()
	is.True(errors.Is(sb.Err(), sandbox.ErrLost))
	_, err = sb.ReadFile(ctx, "x", nil)
	is.True(errors.Is(err, sandbox.ErrLost))
}

func TestClose(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	cmd := sb.Command("sleep", "60")
	is.NoErr(cmd.Start(context.Background()))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { _ = sb.Close() })
	}
	wg.Wait()
	is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
	r, err := cmd.Wait()
	is.True(errors.Is(err, sandbox.ErrClosed))
	is.Equal(r.Outcome, sandbox.Lost)
	is.Equal(sb.Err(), sandbox.ErrClosed)
	_, err = sb.Exec(context.Background(), "true")
	is.True(errors.Is(err, sandbox.ErrClosed))
	is.NoErr(sb.Close())
}

// Kill is Close for a sandbox in whatever state, and as often as one likes.
func TestKill(t *testing.T) {
	ctx := context.Background()
	for name, prepare := range map[string]func(*is.I, *sandbox.Sandbox){
		"at rest": func(*is.I, *sandbox.Sandbox) {},
		"paused":  func(is *is.I, sb *sandbox.Sandbox) { is.NoErr(sb.Pause(ctx)) },
		"closed":  func(is *is.I, sb *sandbox.Sandbox) { is.NoErr(sb.Close()) },
		"with a job": func(is *is.I, sb *sandbox.Sandbox) {
			_, err := sb.Command("sleep", "600").Background(ctx, nil)
			is.NoErr(err)
		},
	} {
		for _, lease := range []time.Duration{0, time.Minute} {
			t.Run(fmt.Sprintf("%s, lease %v", name, lease), func(t *testing.T) {
				is := is.New(t)
				_, cli := enginetest.Engine(t)
				sb := enginetest.Open(t, sandbox.Options{Lease: lease})
				cmd := sb.Command("sh", "-c", "trap '' TERM; sleep 600")
				is.NoErr(cmd.Start(ctx))
				prepare(is, sb)
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() { _ = sb.Kill() })
				}
				all.Wait()
				is.NoErr(sb.Kill())
				is.Equal(sb.Err(), sandbox.ErrClosed)
				is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
				r, err := cmd.Wait()
				is.True(errors.Is(err, sandbox.ErrClosed))
				is.Equal(r.Outcome, sandbox.Lost)
				is.NoErr(sb.Close())
			})
		}
	}
	t.Run("adopted by another", func(t *testing.T) {
		is := is.New(t)
		e, cli := enginetest.Engine(t)
		first := enginetest.Open(t, sandbox.Options{Lease: time.Minute})
		now, err := sandbox.Adopt(ctx, first.Name(), &sandbox.Options{Engine: e})
		is.NoErr(err)
		defer now.Close()
		<-first.Done()
		is.NoErr(first.Kill()) // of what it has lost
		_, err = now.Exec(ctx, "true")
		is.NoErr(err)
		is.NoErr(now.Close())
		later := enginetest.Open(t, sandbox.Options{Name: first.Name()})
		is.NoErr(now.Kill()) // of what has ended
		_, err = later.Exec(ctx, "true")
		is.NoErr(err)
		is.Equal(enginetest.Containers(t, cli, first.Name()), 1)
	})
	t.Run("detached", func(t *testing.T) {
		is := is.New(t)
		e, cli := enginetest.Engine(t)
		sb := enginetest.Open(t, sandbox.Options{Lease: time.Minute})
		is.NoErr(sb.Detach())
		is.NoErr(sb.Kill()) // it is somebody else's by now
		is.Equal(enginetest.Containers(t, cli, sb.Name()), 1)
		again, err := sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
		is.NoErr(err)
		is.NoErr(again.Kill())
		is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
	})
}

func waitFor(cond func() bool) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if cond() {
			return nil
		}
	}
	return errors.New("did not happen within 10 s")
}

// holdSandbox is the process that is killed: it opens a sandbox, says its name and sleeps.
func holdSandbox() {
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{
		Image: enginetest.Busybox, Engine: enginetest.Here(),
	})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	cmd := sb.Command("sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done")
	if err := cmd.Start(context.Background()); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(sb.Name())
	select {}
}

// The container goes with the process that opened it, even by SIGKILL.
func TestEndsWithItsProcess(t *testing.T) {
	_, cli := enginetest.Engine(t)
	const times = 20
	var slowest time.Duration
	for i := range times {
		is := is.New(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		is.NoErr(cmd.Start())
		line := make([]byte, 200)
		n, _ := out.Read(line)
		name := strings.TrimSpace(string(line[:n]))
		if !strings.HasPrefix(name, "drydock-") {
			t.Fatalf("run %d: %s", i, name)
		}
		is.Equal(enginetest.Containers(t, cli, name), 1)
		start := time.Now()
		is.NoErr(cmd.Process.Kill())
		_ = cmd.Wait()
		is.NoErr(waitFor(func() bool { return enginetest.Containers(t, cli, name) == 0 }))
		took := time.Since(start)
		slowest = max(slowest, took)
		if took > time.Second {
			t.Errorf("run %d: the container was gone after %v, want 1 s", i, took)
		}
	}
	t.Logf("%d of %d gone, the slowest after %v (looking costs about 50 ms)", times, times, slowest)
}

func TestEngineUnusable(t *testing.T) {
	for _, test := range []struct {
		name   string
		client *dockercli.Client
		err    error
		text   string
	}{
		{"not installed", &dockercli.Client{Path: "/nonexistent/docker"}, dockercli.ErrNotInstalled, "nstall"},
		{"not reachable", &dockercli.Client{Host: "unix://" + t.TempDir() + "/none.sock"}, dockercli.ErrUnreachable, "tart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			enginetest.Engine(t)
			_, err := sandbox.Open(context.Background(), &sandbox.Options{Image: enginetest.Busybox, Engine: engine.Docker(test.client)})
			is.True(errors.Is(err, test.err))
			is.True(errors.Is(err, sandbox.ErrEngine))
			is.True(strings.Contains(err.Error(), test.text))
			t.Log(err)
		})
	}
}

// A context that ends while Open is under way leaves nothing, whatever the stage.
func TestOpenCanceled(t *testing.T) {
	e, cli := enginetest.Engine(t)
	name := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	opened := 0
	for delay := time.Duration(0); delay < 400*time.Millisecond; delay += 20 * time.Millisecond {
		is := is.New(t)
		why := errors.New("changed my mind")
		ctx, cancel := context.WithCancelCause(context.Background())
		stop := time.AfterFunc(delay, func() { cancel(why) })
		sb, err := sandbox.Open(ctx, &sandbox.Options{Image: enginetest.Busybox, Engine: e, Name: name})
		if err == nil {
			opened++
			is.NoErr(sb.Close())
		} else {
			is.True(errors.Is(err, why))
		}
		stop.Stop()
		cancel(nil)
		is.Equal(enginetest.Containers(t, cli, name), 0)
	}
	t.Logf("%d of 20 were open before the context ended", opened)
}

// A name that is in use is refused, and the container that has it is left alone.
func TestNameTaken(t *testing.T) {
	e, cli := enginetest.Engine(t)
	name := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	first := enginetest.Open(t, sandbox.Options{Name: name})
	for _, lease := range []time.Duration{0, time.Minute} {
		is := is.New(t)
		_, err := sandbox.Open(context.Background(), &sandbox.Options{Engine: e, Image: enginetest.Busybox, Name: name, Lease: lease})
		is.True(errors.Is(err, dockercli.ErrNameInUse))
		_, err = first.Exec(context.Background(), "true")
		is.NoErr(err)
		is.Equal(enginetest.Containers(t, cli, name), 1)
	}
}

// The same sandbox, its container killed from outside.
func TestLostWithAll(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	var cmds []*sandbox.Command
	for range 20 {
		cmd := sb.Command("sh", "-c", "echo kept; echo >&2; exec sleep 60")
		up := make(chan struct{})
		cmd.Stderr = writerFunc(func(p []byte) (int, error) { close(up); return len(p), nil })
		is.NoErr(cmd.Start(ctx))
		<-up
		cmds = append(cmds, cmd)
	}
	job, err := sb.Command("sleep", "60").Background(ctx, nil)
	is.NoErr(err)
	is.NoErr(exec.Command(cli, "kill", sb.Name()).Run())
	for _, cmd := range cmds {
		r, err := cmd.Wait()
		is.True(errors.Is(err, sandbox.ErrLost))
		is.Equal(r.Outcome, sandbox.Lost)
		is.Equal(r.Rung, sandbox.RungNone)
		is.Equal(r.ExitCode, -1)
		is.Equal(string(r.Stdout), "kept\n")
	}
	_, err = job.Wait(ctx)
	is.True(errors.Is(err, sandbox.ErrLost))
	_, err = sb.Jobs(ctx)
	is.True(errors.Is(err, sandbox.ErrLost))
}

func TestIdle(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	is.True(sb.Alive())
	cmd := sb.Command("sleep", "0.3")
	is.NoErr(cmd.Start(ctx))
	is.Equal(sb.Idle(), time.Duration(0)) // a command runs
	_, err := cmd.Wait()
	is.NoErr(err)
	time.Sleep(20 * time.Millisecond)
	idle := sb.Idle()
	is.True(idle >= 20*time.Millisecond && idle < 10*time.Second)
	is.NoErr(sb.Close())
	is.True(!sb.Alive())
}
