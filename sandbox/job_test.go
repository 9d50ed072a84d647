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
	"testing/iotest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// background starts a shell script as a background job.
func background(is *is.I, sb *sandbox.Sandbox, script string, opts *sandbox.JobOptions) *sandbox.Job {
	is.Helper()
	j, err := sb.Command("sh", "-c", script).Background(context.Background(), opts)
	is.NoErr(err)
	return j
}

// A background job outlives its call, and its output can be read at any time, from any offset.
func TestJob(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()

	t.Run("start, list, wait", func(t *testing.T) {
		is := is.New(t)
		begin := time.Now()
		a := background(is, sb, "echo out; echo err >&2; read x; echo got $x", &sandbox.JobOptions{Name: "a job"})
		b := background(is, sb, "exit 3", nil)
		is.True(b.ID() > a.ID())
		r, err := b.Wait(ctx)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Exited)
		is.Equal(r.ExitCode, 3)

		r, err = a.Wait(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "out\nerr\ngot\n") // in order; its stdin is empty
		jobs, err := sb.Jobs(ctx)
		is.NoErr(err)
		is.Equal(len(jobs), 2)
		is.Equal(jobs[0].Name, "a job")
		is.Equal(jobs[0].Args[:2], []string{"sh", "-c"})
		is.True(!jobs[0].Running && jobs[0].Result.OK())
		is.Equal(jobs[1].Result.ExitCode, 3)
		is.True(!jobs[0].Started.Before(begin.Add(-time.Minute)) && jobs[0].PID > 1)
		info, err := a.Info(ctx)
		is.NoErr(err)
		is.Equal(info.Next, int64(len("out\nerr\ngot\n")))
		is.Equal(info.First, int64(0))
		// Another call, and another handle of the same number.
		out, dropped, err := sb.Job(a.ID()).Output(ctx)
		is.NoErr(err)
		is.Equal(string(out), "out\nerr\ngot\n")
		is.Equal(dropped, int64(0))
	})
	t.Run("survives the call that started it", func(t *testing.T) {
		is := is.New(t)
		cctx, cancel := context.WithCancel(ctx)
		j, err := sb.Command("sh", "-c", "sleep 0.3; echo still").Background(cctx, nil)
		is.NoErr(err)
		cancel()
		r, err := j.Wait(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "still\n")
	})
	t.Run("attach late, and follow", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, "seq 1 1000; while [ ! -e go ]; do usleep 5000; done; seq 1001 2000", nil)
		_, err := j.WaitLine(ctx, "^1000$", 0)
		is.NoErr(err)
		var early bytes.Buffer
		next, err := j.Attach(ctx, &early, nil)
		is.NoErr(err)
		is.Equal(next, int64(early.Len()))
		var wg sync.WaitGroup
		outs := make([]bytes.Buffer, 3)
		for i := range outs { // several at once
			wg.Go(func() {
				end, err := j.Attach(ctx, &outs[i], &sandbox.JobAttachOptions{Follow: true, From: next})
				is.NoErr(err)
				is.Equal(end, next+int64(outs[i].Len()))
			})
		}
		_, err = sb.WriteFile(ctx, "go", nil, nil)
		is.NoErr(err)
		wg.Wait()
		r, err := j.Wait(ctx)
		is.NoErr(err)
		for i := range outs {
			is.Equal(early.String()+outs[i].String(), string(r.Stdout)) // nothing twice, nothing missed
		}
		is.Equal(strings.Count(string(r.Stdout), "\n"), 2000)
	})
	t.Run("output is bounded", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, "seq 1 100000", &sandbox.JobOptions{Keep: 1000})
		r, err := j.Wait(ctx)
		is.NoErr(err)
		const total = 588895 // what seq writes
		is.Equal(len(r.Stdout), 1000)
		is.Equal(r.StdoutDropped, int64(total-1000))
		is.True(strings.HasSuffix(string(r.Stdout), "\n99999\n100000\n"))
		info, err := j.Info(ctx)
		is.NoErr(err)
		is.Equal([]int64{info.First, info.Next}, []int64{total - 1000, total})
		for _, from := range []int64{0, total - 2000, total - 500, total, total + 500} {
			var b bytes.Buffer
			next, err := j.Attach(ctx, &b, &sandbox.JobAttachOptions{From: from})
			is.NoErr(err)
			is.Equal(next, int64(total))
			is.Equal(int64(b.Len()), min(1000, max(0, total-from)))
		}
	})
	t.Run("a reader that falls behind knows", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, "echo first; while [ ! -e more ]; do usleep 5000; done; seq 1 400000", &sandbox.JobOptions{Keep: 1000})
		gate := make(chan struct{})
		var got []byte
		slow := writerFunc(func(p []byte) (int, error) {
			if got = append(got, p...); len(got) == len("first\n") {
				<-gate
			}
			return len(p), nil
		})
		done := make(chan int64)
		go func() {
			next, err := j.Attach(ctx, slow, &sandbox.JobAttachOptions{Follow: true})
			is.NoErr(err)
			done <- next
		}()
		_, err := sb.WriteFile(ctx, "more", nil, nil)
		is.NoErr(err)
		r, err := j.Wait(ctx)
		is.NoErr(err)
		close(gate)
		next := <-done
		const total = 6 + 2688895
		is.Equal(r.StdoutDropped, int64(total-1000))
		is.True(bytes.HasSuffix(got, []byte("\n400000\n")))
		is.True(len(got) < total)
		is.Equal(next, int64(total)) // and not only what it has got
	})
	t.Run("wait for a line", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, `echo starting; usleep 100000; printf 'listening on 80'; usleep 100000; echo 81; echo end`, nil)
		line, err := j.WaitLine(ctx, `listening on (\d+)`, 0)
		is.NoErr(err)
		is.Equal(line.Text, "listening on 80") // a last line without an end counts
		line, err = j.WaitLine(ctx, `^.*1$`, 0)
		is.NoErr(err)
		is.Equal(line.Text, "listening on 8081")
		next, err := j.WaitLine(ctx, "", line.Next)
		is.NoErr(err)
		is.Equal(next.Text, "end")
		_, err = j.WaitLine(ctx, "never", 0)
		is.True(errors.Is(err, sandbox.ErrNoMatch))
		_, err = j.WaitLine(ctx, "end", next.Next)
		is.True(errors.Is(err, sandbox.ErrNoMatch)) // it was before
		_, err = j.WaitLine(ctx, "(", 0)
		is.True(errors.Is(err, fs.ErrInvalid))
	})
	t.Run("waiting and following are given up with their context", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, "echo up; exec sleep 60", nil)
		why := errors.New("enough")
		for _, wait := range []func(context.Context) error{
			func(ctx context.Context) error { _, err := j.Wait(ctx); return err },
			func(ctx context.Context) error { _, err := j.WaitLine(ctx, "never", 0); return err },
			func(ctx context.Context) error {
				var b bytes.Buffer
				next, err := j.Attach(ctx, &b, &sandbox.JobAttachOptions{Follow: true})
				is.Equal(next, int64(b.Len()))
				return err
			},
		} {
			cctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
			is.True(errors.Is(wait(cctx), why))
		}
		info, err := j.Info(ctx)
		is.NoErr(err)
		is.True(info.Running) // the job goes on
		r, err := j.Stop(ctx, 0)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Canceled)
	})
	t.Run("signal", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, "trap 'echo usr1' USR1; echo up; while :; do usleep 5000; done", nil)
		_, err := j.WaitLine(ctx, "up", 0)
		is.NoErr(err)
		is.NoErr(j.Signal(ctx, sandbox.SIGUSR1))
		_, err = j.WaitLine(ctx, "usr1", 0)
		is.NoErr(err)
		for _, s := range []sandbox.Signal{-1, 0, 65} {
			is.True(errors.Is(j.Signal(ctx, s), fs.ErrInvalid))
		}
		is.True(errors.Is(j.Resize(ctx, sandbox.Size{Rows: 1, Cols: 1}), fs.ErrInvalid)) // it has no terminal
		is.NoErr(j.Signal(ctx, sandbox.SIGKILL))
		r, err := j.Wait(ctx)
		is.NoErr(err)
		is.Equal(r.Signal, "SIGKILL")
		is.Equal(r.Outcome, sandbox.Signaled)
		is.True(errors.Is(j.Signal(ctx, sandbox.SIGUSR1), sandbox.ErrNoJob)) // it has ended
	})
	t.Run("stop", func(t *testing.T) {
		for _, test := range []struct {
			name, script string
			grace        time.Duration
			rung         sandbox.Rung
			signal       string
		}{
			{"by TERM", "(setsid sleep " + marker + "1 &); echo up; exec sleep " + marker + "1", 10 * time.Second, sandbox.RungTerm, "SIGTERM"},
			{"by KILL", "trap '' TERM; (setsid sleep " + marker + "1 &); echo up; while :; do sleep " + marker + "1; done", 100 * time.Millisecond, sandbox.RungKill, "SIGKILL"},
			{"without grace", "(setsid sleep " + marker + "1 &); echo up; exec sleep " + marker + "1", -1, sandbox.RungKill, "SIGKILL"},
		} {
			t.Run(test.name, func(t *testing.T) {
				is := is.New(t)
				_, cli := enginetest.Engine(t)
				j := background(is, sb, test.script, nil)
				_, err := j.WaitLine(ctx, "up", 0)
				is.NoErr(err)
				r, err := j.Stop(ctx, test.grace)
				is.NoErr(err)
				is.Equal(r.Outcome, sandbox.Canceled)
				is.Equal(r.Rung, test.rung)
				is.Equal(r.Signal, test.signal)
				is.Equal(string(r.Stdout), "up\n")
				is.Equal(len(top(t, cli, sb.Name())), 0) // with all that came of it
				again, err := j.Stop(ctx, test.grace)
				is.NoErr(err)
				is.Equal(again, r)
			})
		}
		t.Run("what a job has left behind", func(t *testing.T) {
			is := is.New(t)
			_, cli := enginetest.Engine(t)
			j := background(is, sb, "(setsid sleep "+marker+"1 &); exit 4", nil)
			_, err := j.Wait(ctx)
			is.NoErr(err)
			is.NoErr(waitFor(func() bool { return top(t, cli, sb.Name())[marker+"1"] == 1 }))
			r, err := j.Stop(ctx, 0)
			is.NoErr(err)
			is.Equal(r.ExitCode, 4)
			is.Equal(len(top(t, cli, sb.Name())), 0)
		})
	})
	t.Run("timeout and output limit", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "echo up; exec sleep 60")
		cmd.Timeout = 100 * time.Millisecond
		j, err := cmd.Background(ctx, nil)
		is.NoErr(err)
		r, err := j.Wait(ctx)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(string(r.Stdout), "up\n")
		cmd = sb.Command("yes")
		cmd.MaxOutput = 100
		j, err = cmd.Background(ctx, nil)
		is.NoErr(err)
		r, err = j.Wait(ctx)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.OutputLimit)
		is.Equal(len(r.Stdout), 100)
	})
	t.Run("stdin", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", `while read x; do echo "got $x"; done; echo end`)
		cmd.Stdin = strings.NewReader("never read")
		j, err := cmd.Background(ctx, nil)
		is.NoErr(err)
		r, w := io.Pipe()
		done := make(chan error, 1)
		var out bytes.Buffer
		go func() {
			_, err := j.Attach(ctx, &out, &sandbox.JobAttachOptions{Follow: true, Stdin: r})
			done <- err
		}()
		_, err = io.WriteString(w, "1\n2\n")
		is.NoErr(err)
		_, err = j.WaitLine(ctx, "got 2", 0)
		is.NoErr(err)
		_, err = j.Attach(ctx, io.Discard, &sandbox.JobAttachOptions{Stdin: strings.NewReader("")})
		is.Equal(codeOf(err), sandbox.CodeBusy) // one at a time
		is.NoErr(w.Close())                     // closes the job's
		is.NoErr(<-done)
		is.Equal(out.String(), "got 1\ngot 2\nend\n")
		_, err = j.Attach(ctx, io.Discard, &sandbox.JobAttachOptions{Stdin: strings.NewReader("")})
		is.True(errors.Is(err, fs.ErrInvalid)) // it is closed
	})
	t.Run("stdin that fails", func(t *testing.T) {
		for _, follow := range []bool{false, true} {
			for _, why := range []error{errors.New("torn"), io.ErrUnexpectedEOF} {
				is := is.New(t)
				cmd := sb.Command("sh", "-c", `while read x; do echo "got $x"; done; echo end`)
				cmd.Stdin = strings.NewReader("never read")
				j, err := cmd.Background(ctx, nil)
				is.NoErr(err)
				_, err = j.Attach(ctx, io.Discard, &sandbox.JobAttachOptions{Follow: follow, Stdin: iotest.ErrReader(why)})
				is.True(errors.Is(err, why))
				_, ok := errors.AsType[*sandbox.Error](err)
				is.True(ok)
				// Its stdin is open, and free as soon as the guest has heard of that.
				is.NoErr(waitFor(func() bool {
					_, err = j.Attach(ctx, io.Discard, &sandbox.JobAttachOptions{Stdin: strings.NewReader("1\n2\n")})
					return codeOf(err) != sandbox.CodeBusy
				}))
				is.NoErr(err)
				r, err := j.Wait(ctx) // all of Stdin was sent, and its end
				is.NoErr(err)
				is.Equal(string(r.Stdout), "got 1\ngot 2\nend\n")
			}
		}
	})
	t.Run("a writer that fails", func(t *testing.T) {
		is := is.New(t)
		j := background(is, sb, "echo out", nil)
		_, err := j.Attach(ctx, writerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }), &sandbox.JobAttachOptions{Follow: true})
		is.True(errors.Is(err, io.ErrUnexpectedEOF)) // and is not taken for the sandbox's end
	})
	t.Run("much output of many that are waited for", func(t *testing.T) {
		is := is.New(t)
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				j, err := sb.Command("head", "-c", "1000000", "/dev/zero").Background(ctx, &sandbox.JobOptions{Keep: 1 << 20})
				is.NoErr(err)
				r, err := j.Wait(ctx)
				is.NoErr(err)
				// A job that ends before its Wait begins may have lost output, and says so.
				is.True(r.OK())
				is.Equal(int64(len(r.Stdout))+r.StdoutDropped, int64(1000000))
			})
		}
		wg.Wait()
	})
	t.Run("many", func(t *testing.T) {
		is := is.New(t)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				j, err := sb.Command("sh", "-c", fmt.Sprintf("echo %d; exit %d", i, i)).Background(ctx, nil)
				is.NoErr(err)
				r, err := j.Wait(ctx)
				is.NoErr(err)
				is.Equal(string(r.Stdout), fmt.Sprintln(i))
				is.Equal(r.ExitCode, i)
			})
		}
		wg.Wait()
		jobs, err := sb.Jobs(ctx)
		is.NoErr(err)
		is.Equal(len(jobs), 100) // the newest of those that have ended
	})
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		no := sb.Job(1 << 30)
		_, err := no.Wait(ctx)
		is.True(errors.Is(err, sandbox.ErrNoJob))
		_, err = no.Info(ctx)
		is.True(errors.Is(err, sandbox.ErrNoJob))
		_, err = no.Stop(ctx, 0)
		is.True(errors.Is(err, sandbox.ErrNoJob))
		_, _, err = no.Output(ctx)
		is.True(errors.Is(err, sandbox.ErrNoJob))
		_, err = no.WaitLine(ctx, "x", 0)
		is.True(errors.Is(err, sandbox.ErrNoJob))
		is.True(errors.Is(no.Signal(ctx, sandbox.SIGTERM), sandbox.ErrNoJob))
		_, err = sb.Command("none").Background(ctx, nil)
		is.True(errors.Is(err, fs.ErrNotExist))
		for _, keep := range []int{-1, 17 << 20} {
			_, err = sb.Command("true").Background(ctx, &sandbox.JobOptions{Keep: keep})
			is.True(errors.Is(err, fs.ErrInvalid))
		}
		for _, change := range []func(*sandbox.Command){
			func(c *sandbox.Command) { c.Stdout = io.Discard },
			func(c *sandbox.Command) { c.Stderr = io.Discard },
			func(c *sandbox.Command) { c.User = "root" },
			func(c *sandbox.Command) { c.Timeout = -1 },
			func(c *sandbox.Command) { _, _ = c.StdoutPipe() },
			func(c *sandbox.Command) { _, _ = c.Run(ctx) },
		} {
			_, err = with(sb.Command("true"), change).Background(ctx, nil)
			is.True(errors.Is(err, fs.ErrInvalid))
		}
	})
}

// With a lease, a job and its output are there after an Adopt. The job ends with the sandbox.
func TestJobUnderLease(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	first, err := sandbox.Open(ctx, &sandbox.Options{Engine: e, Image: enginetest.Busybox, Lease: time.Minute})
	is.NoErr(err)
	t.Cleanup(func() { _ = e.Remove(context.Background(), first.Name()) })
	j := background(is, first, "echo before; while [ ! -e go ]; do usleep 5000; done; echo after; exec sleep 60", nil)
	_, err = j.WaitLine(ctx, "before", 0)
	is.NoErr(err)
	waiting := make(chan error, 1)
	go func() {
		_, err := j.Wait(ctx)
		waiting <- err
	}()
	is.NoErr(first.Detach())
	is.True(errors.Is(<-waiting, sandbox.ErrClosed))

	sb, err := sandbox.Adopt(ctx, first.Name(), &sandbox.Options{Engine: e})
	is.NoErr(err)
	jobs, err := sb.Jobs(ctx)
	is.NoErr(err)
	is.Equal(len(jobs), 1)
	is.Equal(jobs[0].ID, j.ID())
	is.True(jobs[0].Running)
	_, err = sb.WriteFile(ctx, "go", nil, nil)
	is.NoErr(err)
	line, err := sb.Job(j.ID()).WaitLine(ctx, "after", jobs[0].Next)
	is.NoErr(err)
	is.Equal(line.Text, "after")
	out, dropped, err := sb.Job(j.ID()).Output(ctx)
	is.NoErr(err)
	is.Equal(string(out), "before\nafter\n")
	is.Equal(dropped, int64(0))
	is.NoErr(sb.Close())
	is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
	_, err = sb.Job(j.ID()).Wait(ctx)
	is.True(errors.Is(err, sandbox.ErrClosed))
}
