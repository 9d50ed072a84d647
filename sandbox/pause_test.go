package sandbox_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// A paused sandbox does nothing and refuses calls; after Resume all goes on where it was.
func TestPause(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{Users: []string{"1234"}})
	ctx := context.Background()
	job, err := sb.Command("sh", "-c", "while :; do echo tick; sleep 0.05; done").Background(ctx, nil)
	is.NoErr(err)
	_, err = job.WaitLine(ctx, "tick", 0)
	is.NoErr(err)
	waiting := sb.Command("sh", "-c", "sleep 0.2; echo done")
	is.NoErr(waiting.Start(ctx))
	timed := sb.Command("sleep", "60")
	timed.Timeout, timed.Grace = 200*time.Millisecond, 100*time.Millisecond
	is.NoErr(timed.Start(ctx))
	other := sb.Command("sh", "-c", "sleep 0.3; id -u")
	other.User = "1234"
	is.NoErr(other.Start(ctx))

	is.NoErr(sb.Pause(ctx))
	is.NoErr(sb.Pause(ctx)) // again is no error
	is.True(sb.Paused() && sb.Alive())
	_, err = sb.Exec(ctx, "true")
	is.True(errors.Is(err, sandbox.ErrPaused))
	_, err = sb.ReadFile(ctx, "x", nil)
	is.True(errors.Is(err, sandbox.ErrPaused))
	as := sb.Command("true")
	as.User = "1234"
	_, err = as.Run(ctx)
	is.True(errors.Is(err, sandbox.ErrPaused))
	state, err := exec.Command(cli, "inspect", "--format={{.State.Paused}}", sb.Name()).Output()
	is.NoErr(err)
	is.Equal(strings.TrimSpace(string(state)), "true")
	time.Sleep(500 * time.Millisecond) // longer than what is under way would have taken
	is.True(sb.Idle() == 0)

	is.NoErr(sb.Resume(ctx))
	is.NoErr(sb.Resume(ctx))
	is.True(!sb.Paused())
	r, err := waiting.Wait()
	is.NoErr(err)
	is.Equal(string(r.Stdout), "done\n")
	r, err = timed.Wait()
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.TimedOut)
	r, err = other.Wait()
	is.NoErr(err)
	is.Equal(string(r.Stdout), "1234\n")
	info, err := job.Info(ctx)
	is.NoErr(err)
	is.True(info.Running)
	_, err = job.WaitLine(ctx, "tick", info.Next)
	is.NoErr(err)
}

// A paused sandbox can be closed, lost, adopted and left to its lease.
func TestPauseEnds(t *testing.T) {
	ctx := context.Background()
	e, cli := enginetest.Engine(t)
	t.Run("closed", func(t *testing.T) {
		is := is.New(t)
		sb := enginetest.Open(t, sandbox.Options{})
		is.NoErr(sb.Pause(ctx))
		is.NoErr(sb.Close())
		is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
		is.True(errors.Is(sb.Pause(ctx), sandbox.ErrClosed))
		is.True(errors.Is(sb.Resume(ctx), sandbox.ErrClosed))
	})
	t.Run("lost", func(t *testing.T) {
		is := is.New(t)
		sb := enginetest.Open(t, sandbox.Options{})
		is.NoErr(sb.Pause(ctx))
		is.NoErr(e.Remove(ctx, sb.Name()))
		<-sb.Done()
		is.True(errors.Is(sb.Resume(ctx), sandbox.ErrLost))
	})
	t.Run("attached", func(t *testing.T) {
		is := is.New(t)
		sb := enginetest.Open(t, sandbox.Options{Lease: time.Minute})
		is.NoErr(e.Pause(ctx, sb.Name())) // as by a process that has ended
		again, err := sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
		is.NoErr(err)
		_, err = again.Exec(ctx, "true")
		is.NoErr(err)
		is.NoErr(again.Close())
	})
	t.Run("detached", func(t *testing.T) {
		is := is.New(t)
		sb := enginetest.Open(t, sandbox.Options{Lease: 2 * time.Second})
		is.NoErr(sb.Pause(ctx))
		is.NoErr(sb.Detach())
		is.NoErr(waitFor(func() bool { return enginetest.Containers(t, cli, sb.Name()) == 0 })) // by its lease
	})
}

// After a pause whose context ended, or that another process ended, the sandbox goes on.
func TestPauseCutShort(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	for i := range 12 {
		short, cancel := context.WithTimeout(ctx, time.Duration(5*i)*time.Millisecond)
		_ = sb.Pause(short)
		cancel()
		short, cancel = context.WithTimeout(ctx, time.Duration(5*i)*time.Millisecond)
		_ = sb.Resume(short)
		cancel()
		is.NoErr(sb.Resume(ctx))
		_, err := sb.Exec(ctx, "true")
		is.NoErr(err) // it runs
	}
	is.NoErr(sb.Pause(ctx))
	is.NoErr(exec.Command(cli, "unpause", sb.Name()).Run())
	is.NoErr(sb.Resume(ctx))
	_, err := sb.Exec(ctx, "true")
	is.NoErr(err)
}

// Whatever changes the state of a container goes one after the other, and all comes to an end.
func TestPauseWhileItIsKilled(t *testing.T) {
	ctx := context.Background()
	for i := range 6 {
		is := is.New(t)
		_, cli := enginetest.Engine(t)
		sb := enginetest.Open(t, sandbox.Options{Lease: time.Duration(i%2) * time.Minute})
		var all sync.WaitGroup
		all.Go(func() { _ = sb.Pause(ctx); _ = sb.Resume(ctx); _ = sb.Pause(ctx) })
		all.Go(func() { _ = sb.Resume(ctx) })
		all.Go(func() {
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
			_ = sb.Kill()
		})
		all.Wait()
		is.Equal(sb.Err(), sandbox.ErrClosed)
		is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
	}
}
