package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// screen is a command on a terminal, as a person would use it.
type screen struct {
	*sandbox.Command
	is  *is.I
	in  io.WriteCloser
	out io.ReadCloser
	all bytes.Buffer // what it has shown
}

func newScreen(t *testing.T, is *is.I, cmd *sandbox.Command) *screen {
	is.Helper()
	s := &screen{Command: cmd, is: is}
	if cmd.Terminal == nil {
		cmd.Terminal = &sandbox.Size{Rows: 24, Cols: 80}
	}
	var err error
	s.in, err = cmd.StdinPipe()
	is.NoErr(err)
	s.out, err = cmd.StdoutPipe()
	is.NoErr(err)
	cmd.Timeout, cmd.Grace = 20*time.Second, -1 // or the test would wait for ever
	is.NoErr(cmd.Start(context.Background()))
	t.Cleanup(func() {
		_ = cmd.Kill()
		_ = s.out.Close()
		_, _ = cmd.Wait()
	})
	return s
}

func (s *screen) types(text string) {
	s.is.Helper()
	_, err := io.WriteString(s.in, text)
	s.is.NoErr(err)
}

// shows reads until the screen has shown a text, and returns all output up to the end of that
// text. The screen echoes typed text, so text should be one that only the program prints.
func (s *screen) shows(text string) string {
	s.is.Helper()
	var got bytes.Buffer
	for b := make([]byte, 1); !strings.HasSuffix(got.String(), text); {
		n, err := s.out.Read(b)
		got.Write(b[:n])
		if err != nil {
			s.is.Equal(got.String(), text) // the end came first
		}
	}
	s.all.Write(got.Bytes())
	return got.String()
}

// ends reads to the end and returns the result.
func (s *screen) ends() (*sandbox.Result, string) {
	s.is.Helper()
	rest, err := io.ReadAll(s.out)
	s.is.NoErr(err)
	r, err := s.Wait()
	s.is.NoErr(err)
	return r, string(rest)
}

// A command with a Terminal has a real one: signals, sizes, ends of input, and no lost output.
func TestTerminal(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	on := func(size *sandbox.Size, args ...string) *sandbox.Command {
		cmd := sb.Command(args[0], args[1:]...)
		cmd.Terminal = size
		return cmd
	}
	t.Run("is one", func(t *testing.T) {
		is := is.New(t)
		r, err := on(&sandbox.Size{Rows: 33, Cols: 111}, "sh", "-c", `test -t 0 && test -t 1 && test -t 2 && echo yes; stty size; echo $TERM; tty; echo err >&2`).Run(ctx)
		is.NoErr(err)
		is.True(r.OK())
		lines := strings.Split(string(r.Stdout), "\r\n")
		is.Equal(lines[:3], []string{"yes", "33 111", "xterm-256color"})
		is.True(strings.HasPrefix(lines[3], "/dev/pts/"))
		is.Equal(lines[4], "err") // all on one stream
		is.Equal(len(r.Stderr), 0)

		r, err = sb.Exec(ctx, "test -t 0 || test -t 1 || test -t 2 || echo none; tty")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "none\nnot a tty\n") // without asking there is none

		cmd := on(&sandbox.Size{Rows: 1, Cols: 1}, "sh", "-c", "echo $TERM")
		cmd.Env = []string{"TERM=dumb"}
		r, err = cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "dumb\r\n")
	})
	t.Run("resize", func(t *testing.T) {
		is := is.New(t)
		s := newScreen(t, is, sb.Command("sh", "-c", `trap 'stty size' WINCH; echo ready; while :; do usleep 5000; done`))
		s.shows("ready\r\n")
		for _, size := range []string{"50 132", "2 2", "10 20"} {
			var rows, cols uint16
			switch size {
			case "50 132":
				rows, cols = 50, 132
			case "2 2":
				rows, cols = 2, 2
			default:
				rows, cols = 10, 20
			}
			is.NoErr(s.Resize(sandbox.Size{Rows: rows, Cols: cols}))
			s.shows(size + "\r\n") // told by SIGWINCH
		}
		plain := sb.Command("true")
		_, err := plain.Run(ctx)
		is.NoErr(err)
		is.True(errors.Is(plain.Resize(sandbox.Size{}), fs.ErrInvalid))
	})
	t.Run("resize right after the start is not lost", func(t *testing.T) {
		is := is.New(t)
		for range 20 {
			cmd := on(&sandbox.Size{Rows: 24, Cols: 80}, "sh", "-c", `until [ "$(stty size)" = "7 77" ]; do usleep 5000; done; echo seen`)
			cmd.Timeout = 10 * time.Second
			is.NoErr(cmd.Start(ctx))
			is.NoErr(cmd.Resize(sandbox.Size{Rows: 7, Cols: 77}))
			r, err := cmd.Wait()
			is.NoErr(err)
			is.Equal(string(r.Stdout), "seen\r\n")
		}
	})
	t.Run("Ctrl-C is for the program in the foreground", func(t *testing.T) {
		is := is.New(t)
		s := newScreen(t, is, sb.Command("sh", "-i"))
		s.types("echo a$((1))b\n")
		s.shows("a1b\r\n")
		s.types("echo s$((1))t; sleep 60; echo n$((1))t\n")
		s.shows("s1t\r\n")
		time.Sleep(50 * time.Millisecond) // for sleep to start: before it the shell would be met
		s.types("\x03")
		s.types("echo c$((1))d $?\n")
		s.shows("c1d 130\r\n") // ended by SIGINT, and the shell goes on
		is.True(!strings.Contains(s.all.String(), "n1t"))
		s.types("exit 7\n")
		r, _ := s.ends()
		is.Equal(r.Outcome, sandbox.Exited)
		is.Equal(r.ExitCode, 7)
	})
	t.Run("Ctrl-C ends a program of its own", func(t *testing.T) {
		is := is.New(t)
		s := newScreen(t, is, sb.Command("sh", "-c", "echo up; exec sleep 60"))
		s.shows("up\r\n")
		s.types("\x03")
		r, _ := s.ends()
		is.Equal(r.Outcome, sandbox.Signaled)
		is.Equal(r.Signal, "SIGINT")
	})
	t.Run("Ctrl-D is the end of the input", func(t *testing.T) {
		is := is.New(t)
		s := newScreen(t, is, sb.Command("sh", "-c", "cat; echo e$((1))f"))
		s.types("line\n")
		s.shows("line\r\nline\r\n") // the echo, and what cat says
		s.types("\x04")
		s.shows("e1f\r\n")
		r, _ := s.ends()
		is.True(r.OK())
	})
	t.Run("the end of Stdin is a Ctrl-D", func(t *testing.T) {
		is := is.New(t)
		for _, in := range []string{"", "a\n", "no end of line"} {
			cmd := on(&sandbox.Size{Rows: 24, Cols: 80}, "sh", "-c", "stty -echo; echo ready; cat > got; cat got | wc -c")
			r, w := io.Pipe()
			up := make(chan struct{})
			var out bytes.Buffer
			cmd.Stdin, cmd.Timeout = r, 20*time.Second
			cmd.Stdout = writerFunc(func(p []byte) (int, error) {
				if out.Write(p); strings.Contains(out.String(), "ready") && up != nil {
					close(up)
					up = nil
				}
				return len(p), nil
			})
			ready := up
			is.NoErr(cmd.Start(ctx))
			<-ready
			_, err := io.WriteString(w, in)
			is.NoErr(err)
			is.NoErr(w.Close())
			result, err := cmd.Wait()
			is.NoErr(err)
			is.True(result.OK())
			is.Equal(strings.Fields(out.String())[1], map[string]string{"": "0", "a\n": "2", "no end of line": "14"}[in])
		}
	})
	t.Run("no output is lost", func(t *testing.T) {
		is := is.New(t)
		for range 10 { // the end of the program and the last bytes race
			r, err := on(&sandbox.Size{Rows: 24, Cols: 80}, "seq", "1", "3000").Run(ctx)
			is.NoErr(err)
			is.Equal(bytes.Count(r.Stdout, []byte("\r\n")), 3000)
			is.True(bytes.HasSuffix(r.Stdout, []byte("\r\n3000\r\n")))
		}
	})
	t.Run("children that keep the terminal do not hold the result", func(t *testing.T) {
		is := is.New(t)
		start := time.Now()
		r, err := on(&sandbox.Size{Rows: 24, Cols: 80}, "sh", "-c",
			`(trap '' HUP TERM; while :; do echo child; usleep 2000; done) & (setsid sh -c "trap '' HUP; sleep 60" &); echo last; exit 3`).Run(ctx)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Exited)
		is.Equal(r.ExitCode, 3)
		is.True(strings.Contains(string(r.Stdout), "last\r\n"))
		is.True(time.Since(start) < 20*time.Second)
		r, err = sb.Exec(ctx, "usleep 10000; echo mine")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "mine\n") // nor do they leak
	})
	t.Run("a program that closes it before it ends is not hung up", func(t *testing.T) {
		is := is.New(t)
		for _, args := range [][]string{{"cat"}, {"sort"}, {"wc", "-l"},
			{"sh", "-c", "exec </dev/null >/dev/null 2>&1; usleep 100000; exit 0"}} {
			for range 10 {
				cmd := on(&sandbox.Size{Rows: 24, Cols: 80}, args...)
				cmd.Stdin = strings.NewReader("hi\n")
				r, err := cmd.Run(ctx)
				is.NoErr(err)
				is.True(r.OK())
			}
		}
	})
	t.Run("timeout", func(t *testing.T) {
		is := is.New(t)
		cmd := on(&sandbox.Size{Rows: 24, Cols: 80}, "sh", "-c", "trap '' INT HUP TERM; echo up; sleep 60; sleep 60")
		cmd.Timeout, cmd.Grace = 200*time.Millisecond, 100*time.Millisecond
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungKill)
		is.Equal(string(r.Stdout), "up\r\n")
	})
	t.Run("of a background job", func(t *testing.T) {
		is := is.New(t)
		cmd := on(&sandbox.Size{Rows: 24, Cols: 80}, "sh", "-i")
		cmd.Stdin = strings.NewReader("")
		j, err := cmd.Background(ctx, nil)
		is.NoErr(err)
		in, keys := io.Pipe()
		sizes := make(chan sandbox.Size)
		done := make(chan error, 1)
		go func() {
			_, err := j.Attach(ctx, io.Discard, &sandbox.JobAttachOptions{Follow: true, Stdin: in, Resize: sizes})
			done <- err
		}()
		sizes <- sandbox.Size{Rows: 9, Cols: 99}
		is.NoErr(waitFor(func() bool {
			_, err := io.WriteString(keys, "stty size\n")
			is.NoErr(err)
			out, _, err := j.Output(ctx)
			is.NoErr(err)
			return strings.Contains(string(out), "9 99\r\n")
		}))
		info, err := j.Info(ctx)
		is.NoErr(err)
		is.True(info.Terminal && info.Running)
		_, err = io.WriteString(keys, "exit 5\n")
		is.NoErr(err)
		is.NoErr(<-done)
		is.NoErr(keys.Close())
		r, err := j.Wait(ctx)
		is.NoErr(err)
		is.Equal(r.ExitCode, 5)
	})
}
