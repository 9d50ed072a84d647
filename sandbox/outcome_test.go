package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Every outcome but those of a sandbox that is gone: what ended the command, and that
// what it wrote before is kept.
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

// A reader that stops reading stops the writer, and nobody else.
func TestBackPressure(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	cmd := sb.Command("sh", "-c", `while :; do head -c 65536 /dev/zero; echo . >> written; done`)
	slow, err := cmd.StdoutPipe()
	is.NoErr(err)
	errs, err := cmd.StderrPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start(ctx))
	written := func() int64 {
		info, err := sb.Stat(ctx, "written")
		if err != nil {
			return 0
		}
		return info.Size() / 2 << 16
	}
	// still waits until no more is written, and returns how much was.
	still := func(most int64) (n int64) {
		for last, same := int64(-1), 0; same < 10; time.Sleep(30 * time.Millisecond) {
			n = written()
			if n == last && n > 0 {
				same++
			} else {
				last, same = n, 0
			}
			is.True(n < most) // it does not go on for ever
		}
		return n
	}
	first := still(4 << 20)
	for range 20 {
		r, err := sb.Exec(ctx, "head -c 90000 /dev/zero; head -c 90000 /dev/zero >&2")
		is.NoErr(err)
		is.Equal(len(r.Stdout)+len(r.Stderr), 180000) // the others go on
	}
	is.Equal(written(), first)
	_, err = io.CopyN(io.Discard, slow, 4<<20)
	is.NoErr(err)
	is.True(still(8<<20) > first) // and so does it, once it is read again
	is.NoErr(cmd.Kill())
	is.NoErr(slow.Close())
	is.NoErr(errs.Close())
	r, err := cmd.Wait()
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.Canceled)
}

// Output that nobody reads costs what is kept of it, however much it is.
func TestEndlessOutput(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	cmd := sb.Command("sh", "-c", "yes | tee fifo; :")
	is.NoErr(sb.RemoveAll(ctx, "fifo"))
	// What is read of the FIFO counts the bytes on the other side.
	_, err := sb.Exec(ctx, "mkfifo fifo")
	is.NoErr(err)
	count := sb.Command("sh", "-c", "wc -c < fifo")
	is.NoErr(count.Start(ctx))
	cmd.Timeout = 1500 * time.Millisecond
	if enginetest.Long() {
		cmd.Timeout = 10 * time.Second
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	is.NoErr(cmd.Start(ctx))
	peak, done := uint64(0), make(chan struct{})
	go func() {
		defer close(done)
		for range int(cmd.Timeout / (100 * time.Millisecond)) {
			time.Sleep(100 * time.Millisecond)
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}()
	r, err := cmd.Wait()
	is.NoErr(err)
	<-done
	is.Equal(r.Outcome, sandbox.TimedOut)
	rest, err := count.Wait()
	is.NoErr(err)
	var total int64
	_, err = fmt.Sscan(string(rest.Stdout), &total)
	is.NoErr(err)
	is.True(r.StdoutDropped > 1<<20)
	// tee had written to one of the two what it could not write to the other any more.
	diff := r.StdoutDropped + sandbox.DefaultCapture - total
	is.True(diff > -100_000 && diff < 100_000)
	is.True(bytes.HasPrefix(r.Stdout, []byte("y\ny\n")))
	is.True(bytes.Contains(r.Stdout, fmt.Appendf(nil, "\n[... %d bytes dropped ...]\n", r.StdoutDropped)))
	is.True(len(r.Stdout) < sandbox.DefaultCapture+100)
	is.True(peak < before.HeapAlloc+16<<20) // flat
	t.Logf("%d MB in %v, heap at most %d KB more", total>>20, cmd.Timeout, (int64(peak)-int64(before.HeapAlloc))>>10)
}

// A child that a command leaves behind with its stdout neither delays its result nor
// shows up in another's.
func TestLeftBehind(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	for range 5 {
		start := time.Now()
		r, err := sb.Exec(ctx, `(trap '' TERM HUP PIPE; while :; do echo leak; echo leak >&2; usleep 1000; done) & echo done`)
		is.NoErr(err)
		is.True(r.OK())
		is.True(time.Since(start) < 5*time.Second)
		is.Equal(strings.ReplaceAll(string(r.Stdout), "leak\n", ""), "done\n")
	}
	for i := range 50 {
		r, err := sb.Exec(ctx, fmt.Sprintf("usleep 3000; echo %d; echo %d >&2", i, i))
		is.NoErr(err)
		is.Equal(string(r.Stdout), fmt.Sprintln(i))
		is.Equal(string(r.Stderr), fmt.Sprintln(i))
	}
	r, err := sb.Exec(ctx, "ps -o ppid,args | grep -c '^ *1 .*[t]rap.*leak'")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "5\n") // they live, and write into nothing
}

func TestManyAtOnce(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	const many = 500
	var wg sync.WaitGroup
	var right atomic.Int64
	errs := make([]error, many)
	start := time.Now()
	for i := range many {
		wg.Go(func() {
			r, err := sb.Exec(context.Background(), fmt.Sprintf("echo %d; exit %d", i, i%256))
			if errs[i] = err; err == nil && r.ExitCode == i%256 && string(r.Stdout) == fmt.Sprintln(i) {
				right.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	is.NoErr(errors.Join(errs...))
	is.Equal(right.Load(), int64(many))
	t.Logf("%d in %v", many, took)
}

// What is wrong with a command is told by kind, and nothing has run.
// As with os/exec, a command that got a part of its stdin is no success.
func TestStdinFails(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	for _, why := range []error{errors.New("torn"), io.ErrUnexpectedEOF, fs.ErrClosed} {
		t.Run(why.Error(), func(t *testing.T) {
			is := is.New(t)
			cmd := sb.Command("cat")
			cmd.Stdin = io.MultiReader(strings.NewReader("part"), iotest.ErrReader(why))
			r, err := cmd.Run(ctx)
			is.True(errors.Is(err, why))
			var e *sandbox.Error
			is.True(errors.As(err, &e))
			is.Equal(e.Op, "exec")
			is.Equal(r.Outcome, sandbox.Exited) // it has seen the end
			is.Equal(string(r.Stdout), "part")
		})
	}
	t.Run("and so does the writer", func(t *testing.T) {
		is := is.New(t)
		in, out := errors.New("in"), io.ErrUnexpectedEOF
		cmd := sb.Command("cat")
		cmd.Stdin = io.MultiReader(strings.NewReader("part"), iotest.ErrReader(in))
		cmd.Stdout = writerFunc(func([]byte) (int, error) { return 0, out })
		_, err := cmd.Run(ctx)
		is.True(errors.Is(err, in))
		is.True(errors.Is(err, out))
	})
	t.Run("after the command's end", func(t *testing.T) {
		is := is.New(t)
		r, w := io.Pipe()
		cmd := sb.Command("true")
		cmd.Stdin = r
		result, err := cmd.Run(ctx) // a Read that blocks does not hold it up
		is.NoErr(err)
		is.True(result.OK())
		is.NoErr(w.CloseWithError(errors.New("late")))
		_, err = cmd.Wait()
		is.NoErr(err)
	})
	t.Run("of a command that wants none", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "exec <&-; usleep 200000")
		cmd.Stdin = io.MultiReader(bytes.NewReader(make([]byte, 8<<20)), iotest.ErrReader(errors.New("never read")))
		_, err := cmd.Run(ctx)
		is.NoErr(err)
	})
}

func TestBadInput(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{Users: []string{"nobody-here"}})
	ctx := context.Background()
	huge := strings.Repeat("x", 100_000)
	many := make([]string, 40)
	for i := range many {
		many[i] = huge // each may be that long, all together may not
	}
	touch := func(change func(*sandbox.Command)) *sandbox.Command {
		return with(sb.Command("touch", "/workspace/ran"), change)
	}
	for _, test := range []struct {
		name string
		cmd  *sandbox.Command
		code sandbox.Code
		is   error
	}{
		{"command that does not exist", sb.Command("none"), "command_not_found", fs.ErrNotExist},
		{"work dir that does not exist", touch(func(c *sandbox.Command) { c.Dir = "none" }), "not_exist", fs.ErrNotExist},
		{"not executable", sb.Command("/etc/passwd"), "not_executable", nil},
		{"directory", sb.Command("/tmp"), "is_dir", nil},
		{"NUL in an argument", sb.Command("touch", "ran", "\x00"), "invalid", fs.ErrInvalid},
		{"NUL in the environment", touch(func(c *sandbox.Command) { c.Env = []string{"A=\x00"} }), "invalid", fs.ErrInvalid},
		{"NUL in the work dir", touch(func(c *sandbox.Command) { c.Dir = "\x00" }), "invalid", fs.ErrInvalid},
		{"arguments over the kernel's limit", sb.Command("touch", append([]string{"ran"}, many[:30]...)...), "arguments_too_long", nil},
		{"arguments over the protocol's limit", sb.Command("touch", append([]string{"ran"}, many...)...), "arguments_too_long", nil},
		{"negative timeout", touch(func(c *sandbox.Command) { c.Timeout = -time.Second }), "invalid", fs.ErrInvalid},
		{"negative output limit", touch(func(c *sandbox.Command) { c.MaxOutput = -1 }), "invalid", fs.ErrInvalid},
		{"negative capture", touch(func(c *sandbox.Command) { c.Capture = -1 }), "invalid", fs.ErrInvalid},
		{"user that Open did not name", touch(func(c *sandbox.Command) { c.User = "root" }), "", sandbox.ErrUser},
		{"user that the image does not know", touch(func(c *sandbox.Command) { c.User = "nobody-here" }), "", sandbox.ErrUser},
		{"limit nobody knows", touch(func(c *sandbox.Command) { c.Ulimits = map[string]engine.Ulimit{"nothing": {Soft: 1, Hard: 1}} }), "invalid", fs.ErrInvalid},
		{"limit with its soft one over the hard", touch(func(c *sandbox.Command) { c.Ulimits = map[string]engine.Ulimit{"nofile": {Soft: 2, Hard: 1}} }), "invalid", fs.ErrInvalid},
		{"limit over the sandbox's", touch(func(c *sandbox.Command) {
			c.Ulimits = map[string]engine.Ulimit{"nofile": {Soft: 1 << 40, Hard: 1 << 40}}
		}), "permission", fs.ErrPermission},
		{"limit that is the guest's mark", touch(func(c *sandbox.Command) { c.Ulimits = map[string]engine.Ulimit{"locks": {Soft: 1, Hard: 1}} }), "invalid", fs.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r, err := test.cmd.Run(ctx)
			is.True(r == nil)
			var e *sandbox.Error
			is.True(errors.As(err, &e))
			is.Equal(e.Op, "exec")
			is.Equal(e.Code, test.code)
			is.True(test.is == nil || errors.Is(err, test.is))
			is.True(len(err.Error()) < 1000)
			_, err = sb.Stat(ctx, "ran")
			is.True(errors.Is(err, fs.ErrNotExist)) // nothing ran
		})
	}
	t.Run("stdin that blocks for ever", func(t *testing.T) {
		is := is.New(t)
		r, w := io.Pipe()
		defer w.Close()
		cmd := sb.Command("cat")
		cmd.Stdin, cmd.Timeout = r, 200*time.Millisecond
		result, err := cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(result.Outcome, sandbox.TimedOut) // it waits for more, as it would anywhere
		is.Equal(result.Rung, sandbox.RungTerm)
	})
}

func TestPipes(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	t.Run("both ways", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", `while read x; do echo "out $x"; echo "err $x" >&2; done; exit 4`)
		in, err := cmd.StdinPipe()
		is.NoErr(err)
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		errs, err := cmd.StderrPipe()
		is.NoErr(err)
		_, err = in.Write([]byte("early"))
		is.True(err != nil) // not before the start
		is.NoErr(cmd.Start(ctx))
		for i := range 100 {
			_, err := fmt.Fprintln(in, i)
			is.NoErr(err)
			got := make([]byte, len(fmt.Sprintf("out %d\n", i)))
			_, err = io.ReadFull(out, got)
			is.NoErr(err)
			is.Equal(string(got), fmt.Sprintf("out %d\n", i))
			_, err = io.ReadFull(errs, got)
			is.NoErr(err)
			is.Equal(string(got), fmt.Sprintf("err %d\n", i))
		}
		is.NoErr(in.Close())
		rest, err := io.ReadAll(out)
		is.NoErr(err)
		is.Equal(len(rest), 0)
		r, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(r.ExitCode, 4)
		again, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(again, r)
		_, err = in.Write([]byte("late"))
		is.True(err != nil)
	})
	t.Run("read after the end", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("seq", "1", "1000")
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		_, err = cmd.Run(ctx)
		is.NoErr(err)
		b, err := io.ReadAll(out)
		is.NoErr(err)
		is.Equal(bytes.Count(b, []byte("\n")), 1000)
	})
	t.Run("closed early", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "head -c 3000000 /dev/zero; exit 6")
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		is.NoErr(cmd.Start(ctx))
		is.NoErr(out.Close())
		r, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(r.ExitCode, 6) // it went on without a reader
		is.True(r.Unread)
	})
	t.Run("asked for wrongly", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("true")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, io.Discard, io.Discard
		_, err := cmd.StdinPipe()
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = cmd.StdoutPipe()
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = cmd.StderrPipe()
		is.True(errors.Is(err, fs.ErrInvalid))
		cmd = sb.Command("true")
		_, err = cmd.StdoutPipe()
		is.NoErr(err)
		_, err = cmd.StdoutPipe()
		is.True(errors.Is(err, fs.ErrInvalid)) // twice
	})
	t.Run("output", func(t *testing.T) {
		is := is.New(t)
		out, err := sb.Command("sh", "-c", "echo out; echo err >&2").Output(ctx)
		is.NoErr(err)
		is.Equal(string(out), "out\n")
		out, err = sb.Command("sh", "-c", "echo 1; echo 2 >&2; echo 3").CombinedOutput(ctx)
		is.NoErr(err)
		is.Equal(string(out), "1\n2\n3\n")

		out, err = sb.Command("sh", "-c", "echo out; echo 'the reason' >&2; exit 5").Output(ctx)
		var exit *sandbox.ExitError
		is.True(errors.As(err, &exit))
		is.Equal(exit.ExitCode, 5)
		is.Equal(string(out), "out\n")
		is.True(strings.HasSuffix(err.Error(), ": exit code 5: the reason\n"))
		_, err = sb.Command("sh", "-c", "kill -9 $$").Output(ctx)
		is.True(errors.As(err, &exit))
		is.True(strings.HasSuffix(err.Error(), ": signaled by SIGKILL"))

		cmd := sb.Command("seq", "1", "1000")
		cmd.Capture = 100
		out, err = cmd.Output(ctx)
		is.True(errors.Is(err, sandbox.ErrTooLarge))
		is.True(len(out) > 0) // what was kept
		cmd = sb.Command("true")
		cmd.Stdout = io.Discard
		_, err = cmd.Output(ctx)
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = cmd.CombinedOutput(ctx)
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = sb.Command("none").Output(ctx)
		is.True(errors.Is(err, fs.ErrNotExist))
	})
}

func TestUlimits(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	run := func(script string, limits map[string]engine.Ulimit) *sandbox.Result {
		cmd := sb.Command("sh", "-c", script)
		cmd.Ulimits = limits
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		return r
	}
	r := run("ulimit -n; ulimit -Hn; ulimit -f", map[string]engine.Ulimit{"nofile": {Soft: 50, Hard: 60}, "fsize": {Soft: 512, Hard: 512}})
	is.Equal(string(r.Stdout), "50\n60\n1\n")
	r = run("while :; do :; done", map[string]engine.Ulimit{"cpu": {Soft: 1, Hard: 2}})
	is.Equal(r.Outcome, sandbox.Signaled)
	is.Equal(r.Signal, "SIGXCPU")
	is.True(r.UserTime+r.SystemTime > 500*time.Millisecond)
	r = run("head -c 1000 /dev/zero > f; stat -c %s f", map[string]engine.Ulimit{"fsize": {Soft: 100, Hard: 100}})
	is.Equal(string(r.Stdout), "100\n")
	r = run("ulimit -n", nil)
	is.True(string(r.Stdout) != "50\n") // its own only

	// The timeout of a command with limits finds it, too.
	cmd := sb.Command("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
	cmd.Ulimits = map[string]engine.Ulimit{"nofile": {Soft: 50, Hard: 60}}
	cmd.Timeout, cmd.Grace = 200*time.Millisecond, 100*time.Millisecond
	r, err := cmd.Run(ctx)
	is.NoErr(err)
	is.Equal(r.Rung, sandbox.RungKill)
}

func TestUsers(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{User: "1234", Users: []string{"root", "0", "1234"}})
	ctx := context.Background()
	as := func(user string, args ...string) *sandbox.Command {
		cmd := sb.Command(args[0], args[1:]...)
		cmd.User = user
		return cmd
	}
	for user, want := range map[string]string{"": "1234\n", "root": "0\n", "1234": "1234\n"} {
		r, err := as(user, "sh", "-c", "id -u").Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), want)
	}
	r, err := as("root", "sh", "-c", "grep CapEff /proc/self/status; touch /etc/x || echo denied").Run(ctx)
	is.NoErr(err)
	is.True(strings.Contains(string(r.Stdout), "CapEff:\t0000000000000000\ndenied\n")) // root in name only

	// Several guests, some of one user: what ends a job of one spares those of the others.
	var others []*sandbox.Command
	for i, user := range []string{"", "root", "0", "1234"} {
		cmd := as(user, "sleep", fmt.Sprint(marker, i))
		is.NoErr(cmd.Start(ctx))
		others = append(others, cmd)
	}
	is.NoErr(waitFor(func() bool { return len(top(t, cli, sb.Name())) == 4 }))
	for _, user := range []string{"", "root", "0", "1234"} {
		for range 5 {
			cmd := as(user, "sh", "-c", "trap '' TERM; (setsid sleep "+marker+"9 &); while :; do sleep "+marker+"9; done")
			cmd.Timeout, cmd.Grace = 50*time.Millisecond, 20*time.Millisecond
			r, err := cmd.Run(ctx)
			is.NoErr(err)
			is.Equal(r.Outcome, sandbox.TimedOut)
		}
	}
	is.Equal(fmt.Sprint(top(t, cli, sb.Name())), fmt.Sprintf("map[%[1]s0:1 %[1]s1:1 %[1]s2:1 %[1]s3:1]", marker))
	for _, cmd := range others {
		is.NoErr(cmd.Kill())
		r, err := cmd.Wait()
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Canceled)
	}

	// Whoever is root inside can end its own guest: that is the sandbox lost.
	r, err = as("root", "sh", "-c", "echo kept; kill -9 -1; sleep 60").Run(ctx)
	is.True(errors.Is(err, sandbox.ErrLost))
	is.Equal(r.Outcome, sandbox.Lost)
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
