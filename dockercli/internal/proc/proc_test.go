//go:build unix

package proc

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestMain(m *testing.M) {
	warm, err := Run(context.Background(), sh("true")) // opens what the runtime keeps open
	if err != nil || warm.ExitCode != 0 {
		panic(fmt.Sprint("no shell: ", err))
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // the fuzzing engine keeps a goroutine of its own
	}
	for deadline := time.Now().Add(3 * time.Second); code == 0; time.Sleep(20 * time.Millisecond) {
		if runtime.NumGoroutine() <= goroutines && openFiles() <= files {
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "leak: goroutines %d -> %d, files %d -> %d\n",
				goroutines, runtime.NumGoroutine(), files, openFiles())
			code = 1
		}
	}
	os.Exit(code)
}

func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func sh(script string) Spec {
	return Spec{Path: "sh", Args: []string{"-c", script}, Grace: 300 * time.Millisecond}
}

func TestRun(t *testing.T) {
	t.Run("capture", func(t *testing.T) {
		is := is.New(t)
		s := sh(`cat; printf '\000err' >&2; exit 7`)
		s.Stdin = strings.NewReader("in")
		r, err := Run(t.Context(), s)
		is.NoErr(err)                         // an exit is no error
		is.Equal(string(r.Stdout), "in")      // stdin to stdout
		is.Equal(string(r.Stderr), "\x00err") // apart, byte for byte
		is.Equal(r.ExitCode, 7)               // code
	})
	t.Run("stdin that never comes", func(t *testing.T) {
		r, w := io.Pipe()
		defer w.Close()
		for _, script := range []string{"exit 7", "exec sleep 60"} {
			is := is.New(t)
			s := sh(script)
			s.Stdin = r
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			got, err := Run(ctx, s)
			is.Equal(errors.Is(err, context.DeadlineExceeded), got.ExitCode != 7)
			is.True(time.Since(start) < 5*time.Second)
		}
	})
	t.Run("merge keeps the order", func(t *testing.T) {
		is := is.New(t)
		s := sh(`echo a; echo b >&2; echo c; echo d >&2`)
		s.Merge = true
		r, err := Run(t.Context(), s)
		is.NoErr(err)                              // runs
		is.Equal(string(r.Stdout), "a\nb\nc\nd\n") // order
	})
	t.Run("environment", func(t *testing.T) {
		is := is.New(t)
		s := sh(`echo $LC_ALL $NO_COLOR $DOCKER_CLI_HINTS $A`)
		s.Env = []string{"A=1", "A=2"}
		r, err := Run(t.Context(), s)
		is.NoErr(err)                               // runs
		is.Equal(string(r.Stdout), "C 1 false 2\n") // the last wins
	})
	t.Run("not found", func(t *testing.T) {
		is := is.New(t)
		_, err := Run(t.Context(), Spec{Path: "drydock-no-such-program"})
		is.True(errors.Is(err, exec.ErrNotFound)) // cause
	})
	t.Run("signalled", func(t *testing.T) {
		is := is.New(t)
		r, err := Run(t.Context(), sh(`kill -9 $$`))
		is.NoErr(err)                        // a result
		is.Equal(r.ExitCode, -1)             // no code
		is.Equal(r.Signal, "signal: killed") // named
	})
	t.Run("writer fails", func(t *testing.T) {
		is := is.New(t)
		s := sh(`while :; do echo y; done`)
		want := errors.New("full")
		s.Stdout = failingWriter{want}
		_, err := Run(t.Context(), s)
		is.Equal(err, want) // ends the command
	})
	t.Run("grandchild holds the pipes", func(t *testing.T) {
		is := is.New(t)
		start := time.Now()
		r, err := Run(t.Context(), sh(`sleep 30 & echo $!`))
		is.NoErr(err)                               // a result
		is.True(time.Since(start) < 10*time.Second) // bounded
		pid, err := strconv.Atoi(strings.TrimSpace(string(r.Stdout)))
		is.NoErr(err) // pid
		syscall.Kill(pid, syscall.SIGKILL)
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestCaps(t *testing.T) {
	is := is.New(t)
	s := sh(`i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done`)
	s.MaxOutput = 100
	r, err := Run(t.Context(), s)
	is.NoErr(err)                                               // runs
	is.Equal(len(r.Stdout), 100)                                // cap
	is.Equal(r.StdoutDropped, int64(8890-100))                  // counted
	is.True(bytes.HasPrefix(r.Stdout, []byte("line 0\nline "))) // head
	is.True(bytes.HasSuffix(r.Stdout, []byte("\nline 999\n")))  // tail
	s.Stdout = io.Discard
	r, err = Run(t.Context(), s)
	is.NoErr(err)                 // runs
	is.Equal(len(r.Stdout), 8890) // a streamed one keeps MaxMessage bytes
}

// The ring keeps the same bytes as a cut of the whole text.
func FuzzSink(f *testing.F) {
	f.Add([]byte("hello world"), 3, 5)
	f.Add([]byte(""), 1, 1)
	f.Fuzz(func(t *testing.T, text []byte, limit, chunk int) {
		if limit <= 0 || chunk <= 0 || limit > 1<<16 {
			return
		}
		s := newSink(nil, limit)
		for rest := text; len(rest) > 0; {
			n := min(chunk, len(rest))
			s.Write(rest[:n])
			rest = rest[n:]
		}
		want := text
		if len(text) > limit {
			want = append(append([]byte{}, text[:limit/2]...), text[len(text)-(limit-limit/2):]...)
		}
		got, dropped := s.bytes()
		if !bytes.Equal(got, want) || dropped != int64(len(text)-len(want)) {
			t.Errorf("got %q and %d dropped, want %q", got, dropped, want)
		}
	})
}

// writerFunc is called for every write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

func TestCancelLadder(t *testing.T) {
	for _, tt := range []struct{ name, script, signal string }{
		{"term", `echo partial; sleep 60`, "signal: terminated"},
		{"kill", `trap '' TERM; echo partial; while :; do sleep 1; done`, "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			s := sh(tt.script)
			s.Stdout = writerFunc(func() { cancel(cause) })
			r, err := Run(ctx, s)
			is.Equal(err, cause)                    // the cause
			is.Equal(r.Signal, tt.signal)           // the rung
			is.Equal(string(r.Stdout), "partial\n") // kept
		})
	}
}

func TestCloseLadder(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         string
	}{
		{"stdin", `echo; cat >/dev/null`, ""},
		{"term", `echo; exec sleep 60`, "signal: terminated"},
		{"kill", `trap '' TERM; echo; while :; do sleep 1; done`, "signal: killed"},
		{"full stdout", `trap '' TERM; while :; do echo y; done`, "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			p, err := Start(t.Context(), sh(tt.script))
			is.NoErr(err) // starts
			_, err = p.Stdout.Read(make([]byte, 1))
			is.NoErr(err) // it is set up
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(p.Close)
			}
			wg.Wait()
			select {
			case <-p.Done():
			default:
				t.Fatal("Close returned before the end")
			}
			is.Equal(p.Signal(), tt.want) // the rung
			_, err = p.Stdout.Read(make([]byte, 1))
			is.True(errors.Is(err, os.ErrClosed)) // closed
		})
	}
}

// TERM and KILL reach the helpers of the CLI as well.
func TestGroup(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "pid")
	p, err := Start(t.Context(), sh(`sh -c 'trap "" TERM; echo $$ >`+file+`; while :; do sleep 1; done' & wait`))
	is.NoErr(err) // starts
	var pid int
	for pid == 0 {
		b, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		time.Sleep(5 * time.Millisecond)
	}
	p.Kill()
	p.Kill() // idempotent
	for deadline := time.Now().Add(5 * time.Second); running(pid); time.Sleep(10 * time.Millisecond) {
		is.True(time.Now().Before(deadline)) // the helper is gone
	}
}

// running reports whether a process runs. An init may leave it as a zombie for a while.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestStart(t *testing.T) {
	t.Run("pipes", func(t *testing.T) {
		is := is.New(t)
		p, err := Start(t.Context(), sh(`cat; echo bye >&2; exit 4`))
		is.NoErr(err) // starts
		defer p.Close()
		is.True(p.Pid() > 0)       // pid
		is.Equal(p.ExitCode(), -1) // runs
		go func() {
			io.WriteString(p.Stdin, strings.Repeat("x", 1<<20))
			p.Stdin.Close()
		}()
		b, err := io.ReadAll(p.Stdout)
		is.NoErr(err)           // up to the end of file
		is.Equal(len(b), 1<<20) // all of it
		<-p.Done()
		is.Equal(p.ExitCode(), 4) // code
		text, _ := p.Stderr()
		is.Equal(string(text), "bye\n") // stderr
	})
	t.Run("output survives the end", func(t *testing.T) {
		is := is.New(t)
		p, err := Start(t.Context(), sh(`echo last words`))
		is.NoErr(err) // starts
		defer p.Close()
		<-p.Done()
		b, err := io.ReadAll(p.Stdout)
		is.NoErr(err)                       // readable
		is.Equal(string(b), "last words\n") // nothing lost
	})
	t.Run("not found leaks nothing", func(t *testing.T) {
		is := is.New(t)
		_, err := Start(t.Context(), Spec{Path: "drydock-no-such-program"})
		is.True(errors.Is(err, exec.ErrNotFound)) // cause
	})
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				p, err := Start(context.Background(), sh(`exec cat`))
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(p.Stdin, "x")
				if _, err := io.ReadFull(p.Stdout, make([]byte, 1)); err != nil {
					t.Error(err)
				}
				p.Close()
			})
		}
		wg.Wait()
	})
}
