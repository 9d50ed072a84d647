package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"runtime"
	"sync/atomic"
	"testing/iotest"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

func TestImageWithoutShell(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Image: enginetest.Static})
	ctx := context.Background()
	_, err := sb.WriteFile(ctx, "a/b", []byte("x"), nil)
	is.NoErr(err)
	entries, err := sb.ReadDir(ctx, "/")
	is.NoErr(err)
	program := ""
	for _, e := range entries {
		if e.Mode().IsRegular() && e.Mode()&0o111 != 0 && e.Name() != ".dockerenv" {
			program = "/" + e.Name()
		}
	}
	r, err := sb.Command(program, "hello").Run(ctx)
	is.NoErr(err)
	is.True(r.OK() && strings.Contains(string(r.Stdout), "hello"))

	_, err = sb.Exec(ctx, "true")
	is.True(errors.Is(err, fs.ErrNotExist)) // there is no /bin/sh
}

// A command's streams, environment, directory and exit come out as with os/exec.
func TestCommand(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()

	t.Run("streams apart", func(t *testing.T) {
		is := is.New(t)
		r, err := sb.Exec(ctx, `printf 'out\0\377'; printf err >&2; exit 7`)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Exited)
		is.Equal(r.ExitCode, 7)
		is.Equal(r.Rung, sandbox.RungNone)
		is.Equal(string(r.Stdout), "out\x00\xff")
		is.Equal(string(r.Stderr), "err")
		is.True(r.Duration > 0)
	})
	t.Run("stdin and a writer", func(t *testing.T) {
		is := is.New(t)
		in := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // beyond every window
		var out bytes.Buffer
		cmd := sb.Command("cat")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(in), &out
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.True(r.OK())
		is.True(bytes.Equal(out.Bytes(), in))
	})
	t.Run("merged in order", func(t *testing.T) {
		is := is.New(t)
		var out bytes.Buffer
		cmd := sb.Command("sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done")
		cmd.Stdout, cmd.Stderr = &out, &out
		_, err := cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(out.String(), "o1\ne1\no2\ne2\no3\ne3\n")
	})
	t.Run("stdin that blocks for ever", func(t *testing.T) {
		is := is.New(t)
		r, w := io.Pipe()
		defer w.Close()
		cmd := sb.Command("true")
		cmd.Stdin = r
		result, err := cmd.Run(ctx)
		is.NoErr(err)
		is.True(result.OK())
	})
	t.Run("environment and directory", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.WriteFile(ctx, "sub/f", nil, nil)
		is.NoErr(err)
		cmd := sb.Command("sh", "-c", "echo $A $B; ls")
		cmd.Env, cmd.Dir = []string{"A=1", "B=2", "A=3"}, "sub"
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "3 2\nf\n")
	})
	t.Run("much output is kept as head and tail", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "seq 1 200000")
		cmd.Capture = 1000
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.True(strings.HasPrefix(string(r.Stdout), "1\n2\n3\n"))
		is.True(strings.HasSuffix(string(r.Stdout), "\n199999\n200000\n"))
		is.Equal(r.StdoutDropped, int64(1288895-1000)) // seq writes 1,288,895 bytes
		is.True(strings.Contains(string(r.Stdout), "[... 1287895 bytes dropped ...]"))
	})
	t.Run("killed by a signal", func(t *testing.T) {
		is := is.New(t)
		r, err := sb.Exec(ctx, "kill -SEGV $$")
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Signaled)
		is.Equal(r.Signal, "SIGSEGV")
		is.Equal(r.ExitCode, -1)
	})
	t.Run("background child", func(t *testing.T) {
		is := is.New(t)
		start := time.Now()
		r, err := sb.Exec(ctx, "(sleep 1; echo late; echo late >&2; touch survived) & echo early")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "early\n")
		is.True(time.Since(start) < 900*time.Millisecond) // the child does not hold the result
		r, err = sb.Exec(ctx, "sleep 1.5; ls survived")
		is.NoErr(err)
		is.Equal(string(r.Stdout)+string(r.Stderr), "survived\n") // nor is it killed, nor seen here
	})
	t.Run("writer that fails", func(t *testing.T) {
		is := is.New(t)
		broken := errors.New("broken")
		cmd := sb.Command("sh", "-c", "seq 1 100000; exit 3")
		cmd.Stdout = writerFunc(func(p []byte) (int, error) { return 0, broken })
		r, err := cmd.Run(ctx)
		is.True(errors.Is(err, broken))
		is.Equal(r.ExitCode, 3) // the command itself went on
	})
	t.Run("many at once", func(t *testing.T) {
		is := is.New(t)
		var wg sync.WaitGroup
		results := make([]string, 50)
		for i := range results {
			wg.Go(func() {
				r, err := sb.Exec(ctx, fmt.Sprintf("echo %d; seq 1 2000 >/dev/null", i))
				if err == nil {
					results[i] = string(r.Stdout)
				}
			})
		}
		wg.Wait()
		for i, got := range results {
			is.Equal(got, fmt.Sprintln(i))
		}
	})
	t.Run("a reader that stops does not stop the others", func(t *testing.T) {
		is := is.New(t)
		gate := make(chan struct{})
		slow := sb.Command("sh", "-c", "head -c 3000000 /dev/zero")
		n := 0
		slow.Stdout = writerFunc(func(p []byte) (int, error) { <-gate; n += len(p); return len(p), nil })
		is.NoErr(slow.Start(ctx))
		for range 20 {
			r, err := sb.Exec(ctx, "head -c 50000 /dev/zero")
			is.NoErr(err)
			is.Equal(len(r.Stdout), 50000)
		}
		close(gate)
		r, err := slow.Wait()
		is.NoErr(err)
		is.True(r.OK())
		is.Equal(n, 3000000)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A timeout, a canceled context and Kill end a command with all its processes, and the
// result says how far that had to go.
func TestCommandEnds(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	stubborn := []string{"-c", "trap '' TERM; (trap '' TERM; sleep 60) & echo up; while :; do sleep 1; done"}
	survivors := func(is *is.I) string {
		is.Helper()
		r, err := sb.Exec(context.Background(), "ps -o args | grep '[s]leep 60'")
		is.NoErr(err)
		return string(r.Stdout)
	}

	t.Run("TERM is enough", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "echo partial; sleep 60")
		cmd.Timeout = 300 * time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err) // a timeout of the command is a result
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungTerm)
		is.Equal(r.Signal, "SIGTERM")
		is.Equal(string(r.Stdout), "partial\n") // what came before is kept
		is.Equal(survivors(is), "")
	})
	t.Run("KILL is needed", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", stubborn...)
		cmd.Timeout, cmd.Grace = 300*time.Millisecond, 200*time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungKill)
		is.Equal(r.Signal, "SIGKILL")
		is.Equal(string(r.Stdout), "up\n")
		is.Equal(survivors(is), "") // the group went with it
	})
	t.Run("a stopped command", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "kill -STOP $$")
		cmd.Timeout = 200 * time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungTerm)
	})
	t.Run("exit code of its own on TERM", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done")
		cmd.Timeout = 300 * time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.ExitCode, 5)
	})
	t.Run("canceled", func(t *testing.T) {
		is := is.New(t)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
		r, err := sb.Command("sh", stubborn...).Run(ctx)
		is.True(errors.Is(err, why))
		is.Equal(r.Outcome, sandbox.Canceled)
		is.Equal(r.Rung, sandbox.RungKill)
		is.Equal(survivors(is), "")
	})
	t.Run("deadline", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		r, err := sb.Exec(ctx, "sleep 60")
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.Equal(r.Outcome, sandbox.TimedOut)
	})
	t.Run("canceled before", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := sb.Exec(ctx, "true")
		is.True(errors.Is(err, context.Canceled))
	})
	t.Run("kill", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", stubborn...)
		is.NoErr(cmd.Start(context.Background()))
		is.NoErr(cmd.Kill())
		r, err := cmd.Wait()
		// A command that is killed before it runs was never started.
		if err != nil {
			is.Equal(codeOf(err), sandbox.CodeAborted)
		} else {
			is.Equal(r.Outcome, sandbox.Canceled)
		}
		is.Equal(survivors(is), "")
	})
}

// A command that cannot be started has no result, and its error says what to change.
func TestCommandRefused(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	_, err := sb.WriteFile(ctx, "plain", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sb.WriteFile(ctx, "broken", []byte("\x7fELF nonsense"), &sandbox.WriteOptions{Mode: 0o755})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		cmd  *sandbox.Command
		code sandbox.Code
		text string
	}{
		{"missing", sb.Command("no-such-program"), "command_not_found", `exec ["no-such-program"]: "no-such-program": command not found in PATH=/usr/local/bin:/usr/bin:/bin`},
		{"missing path", sb.Command("./no"), "command_not_found", `exec ["./no"]: /workspace/no: command not found`},
		{"not executable", sb.Command("./plain"), "not_executable", `exec ["./plain"]: command "/workspace/plain" is not executable`},
		{"not a program", sb.Command("./broken"), "not_executable", `exec ["./broken"]: /workspace/broken: exec format error`},
		{"directory", sb.Command("/bin"), "is_dir", `exec ["/bin"]: command "/bin" is a directory`},
		{"empty", sb.Command(""), "invalid", `exec [""]: empty command`},
		{"NUL", sb.Command("echo", "a\x00b"), "invalid", `exec ["echo" "a\x00b"]: a NUL byte cannot be passed to a program`},
		{"too long", sb.Command("true", strings.Repeat("x", 200_000)), "arguments_too_long", `/bin/true: argument list too long`},
		{"too long to send", sb.Command("true", strings.Repeat("x", 4<<20)), "arguments_too_long", `at most 4194304 fit one call`},
		{"work dir", with(sb.Command("true"), func(c *sandbox.Command) { c.Dir = "/none" }), "not_exist", `exec ["true"]: working directory: stat /none: no such file or directory`},
		{"work dir is a file", with(sb.Command("true"), func(c *sandbox.Command) { c.Dir = "plain" }), "not_dir", `exec ["true"]: working directory "/workspace/plain" is not a directory`},
		{"environment", with(sb.Command("true"), func(c *sandbox.Command) { c.Env = []string{"novalue"} }), "invalid", `exec ["true"]: environment entry "novalue": write KEY=VALUE`},
		{"timeout", with(sb.Command("true"), func(c *sandbox.Command) { c.Timeout = -1 }), "invalid", `exec ["true"]: timeout -1ns is negative`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r, err := test.cmd.Run(ctx)
			is.True(r == nil) // nothing ran
			is.Equal(codeOf(err), test.code)
			if !strings.HasPrefix(test.name, "too long") {
				is.Equal(err.Error(), test.text)
			}
			is.True(strings.Contains(err.Error(), test.text))
		})
	}
	is := is.New(t)
	cmd := sb.Command("true")
	_, err = cmd.Run(ctx)
	is.NoErr(err)
	_, err = cmd.Run(ctx)
	is.Equal(err.Error(), `exec ["true"]: the command was started before: make another`)
}

// A command that is ended while its reader sleeps has its result without the sandbox being
// ended, though the guest cannot deliver the output: whether the command still runs, or has
// ended by itself.
func TestEndedUnread(t *testing.T) {
	// Longer than the guest waits for a reader, which is 2 s.
	const answerTimeout = 4 * time.Second
	for _, test := range []struct {
		name  string
		bytes int // 950,000 are more than the window, and the pipe takes the rest
		end   func(c *sandbox.Command, cancel context.CancelFunc)
		want  sandbox.Outcome // "" is either of two, as the race goes
	}{
		{"running", 10_000_000, func(c *sandbox.Command, _ context.CancelFunc) { c.Timeout = 200 * time.Millisecond }, sandbox.TimedOut},
		{"exited, timeout", 950_000, func(c *sandbox.Command, _ context.CancelFunc) { c.Timeout = time.Second }, ""},
		{"exited, canceled", 950_000, func(_ *sandbox.Command, cancel context.CancelFunc) { time.AfterFunc(time.Second, cancel) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			sb := enginetest.Open(t, sandbox.Options{})
			gate := make(chan struct{})
			cmd := sb.Command("head", "-c", fmt.Sprint(test.bytes), "/dev/zero")
			cmd.Stdout = writerFunc(func(p []byte) (int, error) { <-gate; return len(p), nil })
			cmd.Grace = 100 * time.Millisecond
			cmd.SetAnswerTimeout(answerTimeout)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			test.end(cmd, cancel)
			is.NoErr(cmd.Start(ctx))
			time.Sleep(time.Second + cmd.Grace + answerTimeout + time.Second) // beyond the time to answer
			is.True(sb.Alive())
			close(gate)
			r, _ := cmd.Wait()
			is.True(r.Unread)
			is.True(test.want == "" || r.Outcome == test.want)
			_, err := sb.Exec(context.Background(), "true")
			is.NoErr(err)
		})
	}
}

// A reader that stops reading stops its command, and no other call.
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
	// still waits until the command writes no more, and returns how many bytes it has written.
	still := func(maxCount int64) (n int64) {
		for last, same := int64(-1), 0; same < 10; time.Sleep(30 * time.Millisecond) {
			n = written()
			if n == last && n > 0 {
				same++
			} else {
				last, same = n, 0
			}
			is.True(n < maxCount) // it does not go on for ever
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

// Captured output takes no more memory than its limit, however long it is.
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
	// tee may have written its last block to one of the two only.
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

// As with os/exec, a command that got a part of its stdin only is an error.
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
			e, ok := errors.AsType[*sandbox.Error](err)
			is.True(ok)
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

// Input that is hostile or wrong fails one command and leaves the sandbox usable.
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
			e, ok := errors.AsType[*sandbox.Error](err)
			is.True(ok)
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
