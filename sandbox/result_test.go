package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Each outcome of a sandbox that goes on says what ended the command, and keeps the output until
// then.
func TestOutcomes(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	for _, test := range []struct {
		name   string
		script string
		change func(*sandbox.Command)
		want   sandbox.Result
	}{
		{"exited", `echo out; exit 3`, nil,
			sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3, Rung: sandbox.RungNone}},
		{"exited with the code of a kill", `echo out; exit 137`, nil,
			sandbox.Result{Outcome: sandbox.Exited, ExitCode: 137, Rung: sandbox.RungNone}},
		{"signaled by itself", `echo out; kill -USR1 $$`, nil,
			sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGUSR1", Rung: sandbox.RungNone}},
		{"killed by another", `echo out; setsid sh -c "kill -9 $$" & wait`, nil,
			sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGKILL", Rung: sandbox.RungNone}},
		{"timed out", `echo out; exec sleep 60`, func(c *sandbox.Command) { c.Timeout = 200 * time.Millisecond },
			sandbox.Result{Outcome: sandbox.TimedOut, ExitCode: -1, Signal: "SIGTERM", Rung: sandbox.RungTerm}},
		{"timed out, without TERM", `echo out; exec sleep 60`, func(c *sandbox.Command) { c.Timeout, c.Grace = 200*time.Millisecond, -1 },
			sandbox.Result{Outcome: sandbox.TimedOut, ExitCode: -1, Signal: "SIGKILL", Rung: sandbox.RungKill}},
		{"output limit", `echo out; yes`, func(c *sandbox.Command) { c.MaxOutput = 5000 },
			sandbox.Result{Outcome: sandbox.OutputLimit, ExitCode: -1, Signal: "SIGTERM", Rung: sandbox.RungTerm}},
		{"output limit of one that ignores TERM", `trap '' TERM PIPE; echo out; while :; do echo yyyyyyyyyyyyyyyy; done`,
			func(c *sandbox.Command) { c.MaxOutput, c.Grace = 5000, 100*time.Millisecond },
			sandbox.Result{Outcome: sandbox.OutputLimit, ExitCode: -1, Signal: "SIGKILL", Rung: sandbox.RungKill}},
		{"within the output limit", `echo out; head -c 4996 /dev/zero >&2`, func(c *sandbox.Command) { c.MaxOutput = 5000 },
			sandbox.Result{Outcome: sandbox.Exited, Rung: sandbox.RungNone}},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			cmd := sb.Command("sh", "-c", test.script)
			if test.change != nil {
				test.change(cmd)
			}
			r, err := cmd.Run(context.Background())
			is.NoErr(err)
			is.True(r.Duration > 0)
			if cmd.MaxOutput > 0 {
				is.True(bytes.HasPrefix(r.Stdout, []byte("out\n")))
				is.Equal(int64(len(r.Stdout)+len(r.Stderr)), cmd.MaxOutput) // not a byte more
			} else {
				is.Equal(string(r.Stdout), "out\n")
			}
			got := sandbox.Result{Outcome: r.Outcome, ExitCode: r.ExitCode, Signal: r.Signal, Rung: r.Rung, Suspected: r.Suspected}
			is.Equal(got, test.want)
		})
	}
	t.Run("output limit of one that ends at once", func(t *testing.T) {
		is := is.New(t)
		for range 100 { // its own end and that of the limit race
			cmd := sb.Command("head", "-c", "2000", "/dev/zero")
			cmd.MaxOutput = 1000
			r, err := cmd.Run(context.Background())
			is.NoErr(err)
			is.Equal(len(r.Stdout), 1000)
			is.Equal(r.Outcome, sandbox.OutputLimit) // or it would pass for all that it wrote
		}
	})
	t.Run("canceled", func(t *testing.T) {
		is := is.New(t)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		cmd := sb.Command("sh", "-c", "echo out; exec sleep 60")
		time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
		r, err := cmd.Run(ctx)
		is.True(errors.Is(err, why))
		is.Equal(r.Outcome, sandbox.Canceled)
		is.Equal(r.Rung, sandbox.RungTerm)
		is.Equal(string(r.Stdout), "out\n")
	})
	t.Run("a signal right after the start is not lost", func(t *testing.T) {
		is := is.New(t)
		for range 50 {
			cmd := sb.Command("sleep", "60")
			cmd.Timeout = 20 * time.Second
			is.NoErr(cmd.Start(context.Background()))
			is.NoErr(cmd.Signal(sandbox.SIGKILL))
			r, err := cmd.Wait()
			is.NoErr(err)
			is.Equal(r.Outcome, sandbox.Signaled)
			is.Equal(r.Signal, "SIGKILL")
		}
		cmd := sb.Command("true")
		is.True(cmd.Signal(sandbox.SIGKILL) != nil) // before the start
		_, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.NoErr(cmd.Signal(sandbox.SIGKILL)) // after the end
		is.True(errors.Is(cmd.Signal(0), fs.ErrInvalid))
		is.True(errors.Is(cmd.Signal(65), fs.ErrInvalid))
	})
}

// eat takes memory until there is none: tmpfs would only be full.
const eat = `BEGIN { while (1) a[n++] = sprintf("%1000s", n) }`

// A command that the kernel kills for its memory is told from one that is killed.
func TestOutOfMemory(t *testing.T) {
	ctx := context.Background()
	t.Run("alone", func(t *testing.T) {
		is := is.New(t)
		sb := enginetest.Open(t, sandbox.Options{Memory: 64 << 20})
		r, err := sb.Exec(ctx, "kill -9 $$")
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Signaled) // nobody's memory
		for range 3 {
			r, err := sb.Command("awk", eat).Run(ctx)
			is.NoErr(err)
			is.Equal(r.Outcome, sandbox.OutOfMemory)
			is.Equal(r.Signal, "SIGKILL")
			is.True(!r.Suspected)
			is.True(r.MaxRSS > 16<<20)
			// A shell tells of its child's end by its own exit code.
			r, err = sb.Exec(ctx, "echo kept; awk '"+eat+"'; exit $?")
			is.NoErr(err)
			is.Equal(r.Outcome, sandbox.OutOfMemory)
			is.Equal(r.ExitCode, 137)
			is.Equal(string(r.Stdout), "kept\n")
		}
		r, err = sb.Exec(ctx, "kill -9 $$")
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Signaled) // what was before it does not count
	})
	t.Run("beside others", func(t *testing.T) {
		is := is.New(t)
		sb := enginetest.Open(t, sandbox.Options{Memory: 64 << 20})
		other := sb.Command("sleep", "60")
		is.NoErr(other.Start(ctx))
		r, err := sb.Command("awk", eat).Run(ctx)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.OutOfMemory)
		is.True(r.Suspected) // it may have been the other's
		is.NoErr(other.Kill())
		r, err = other.Wait()
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Canceled) // why it was ended is known
	})
}

// An engine whose connection goes, and which then says that it cannot be reached.
type faulty struct {
	*engine.CLI
	gone atomic.Pointer[faultyConn]
}

type faultyConn struct {
	engine.Conn
	fault atomic.Bool
}

func (e *faulty) Start(ctx context.Context, c *engine.Container) (engine.Conn, error) {
	conn, err := e.CLI.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	f := &faultyConn{Conn: conn}
	e.gone.Store(f)
	return f, nil
}

func (c *faultyConn) Wait() error {
	err := c.Conn.Wait()
	if c.fault.Load() {
		return fmt.Errorf("%w: cannot connect to the daemon", sandbox.ErrEngine)
	}
	return err
}

func TestEngineFault(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	broken := &faulty{CLI: e}
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{Engine: broken, Image: enginetest.Busybox})
	is.NoErr(err)
	defer sb.Close()
	out := make(chan struct{})
	cmd := sb.Command("sh", "-c", "echo partial >&2; echo up; exec sleep 60")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) { close(out); return len(p), nil })
	is.NoErr(cmd.Start(context.Background()))
	<-out
	broken.gone.Load().fault.Store(true)
	broken.gone.Load().Conn.Close()
	r, err := cmd.Wait()
	is.True(errors.Is(err, sandbox.ErrEngine))
	is.Equal(r.Outcome, sandbox.EngineFault)
	is.Equal(string(r.Stderr), "partial\n")
	_, err = sb.Exec(context.Background(), "true")
	is.True(errors.Is(err, sandbox.ErrEngine))
	is.NoErr(sb.Close())
	is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
}
