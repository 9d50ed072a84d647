package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/matryer/is"
)

// fake is an interpreter that answers as the test says.
type fake struct {
	run        func(ctx context.Context, o *sandbox.ExecutionOptions) (*sandbox.Execution, error)
	interrupts int
}

func (f *fake) Run(ctx context.Context, _ string, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
	return f.run(ctx, o)
}

func (f *fake) Interrupt() error {
	f.interrupts++
	return nil
}

// testSession is a session whose stdout and stderr are one file.
func testSession(t *testing.T, f *fake) (s *session, output func() string) {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	s = newSession(f, file, file)
	s.figures.dir = filepath.Join(dir, "out")
	return s, func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), dir, "DIR")
	}
}

func TestSessionRun(t *testing.T) {
	exited := func(code int) *sandbox.Execution {
		return &sandbox.Execution{Result: sandbox.Result{Outcome: sandbox.Exited, ExitCode: code}}
	}
	outcome := func(o sandbox.Outcome, signal string, lost bool) *sandbox.Execution {
		return &sandbox.Execution{Result: sandbox.Result{Outcome: o, ExitCode: -1, Signal: signal}, StateLost: lost}
	}
	raised := exited(1)
	raised.Exception = &sandbox.Exception{Text: "Traceback\nKeyError: \x1b[2J\n"}
	ended := exited(3)
	ended.StateLost = true
	gone := &sandbox.Error{Op: "run code", Err: sandbox.ErrLost}
	for name, c := range map[string]struct {
		x     *sandbox.Execution
		err   error
		exit  int
		ended bool
		out   string
	}{
		"success":          {exited(0), nil, 0, false, ""},
		"exception":        {raised, nil, 1, false, "Traceback\nKeyError: \\x1b[2J\n"},
		"sys.exit":         {exited(3), nil, 3, true, ""},
		"process exits":    {ended, nil, 3, false, "drydock: the interpreter has ended (exit code 3), and its variables are gone\n"},
		"crash":            {outcome(sandbox.Signaled, "SIGSEGV", true), nil, 139, false, "drydock: the interpreter has ended (SIGSEGV), and its variables are gone\n"},
		"timeout":          {outcome(sandbox.TimedOut, "", false), nil, 124, false, "drydock: timed out after 0s\n"},
		"timeout, lost":    {outcome(sandbox.TimedOut, "", true), nil, 124, false, "drydock: timed out after 0s\ndrydock: the interpreter has ended (timed out), and its variables are gone\n"},
		"interrupt":        {outcome(sandbox.Canceled, "", false), nil, 130, false, "drydock: interrupted\n"},
		"second interrupt": {outcome(sandbox.Canceled, "", false), fmt.Errorf("x: %w", interrupted{syscall.SIGINT}), 130, false, "drydock: interrupted\n"},
		"SIGTERM":          {outcome(sandbox.Canceled, "", true), fmt.Errorf("x: %w", interrupted{syscall.SIGTERM}), 143, true, ""},
		"lost":             {outcome(sandbox.Lost, "", true), gone, 125, true, ""},
		"lost before":      {nil, gone, 125, true, ""},
		"dropped":          {&sandbox.Execution{Result: sandbox.Result{Outcome: sandbox.Exited}, DisplaysDropped: 2}, nil, 0, false, "drydock: 2 more images or values were left out\n"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s, output := testSession(t, &fake{run: func(context.Context, *sandbox.ExecutionOptions) (*sandbox.Execution, error) { return c.x, c.err }})
			exit, ended, err := s.run(t.Context(), "")
			is.Equal(exit, c.exit)                        // exit code
			is.Equal(ended, c.ended)                      // whether the session goes on
			is.Equal(err != nil, c.ended && c.err != nil) // an error only if it does not
			is.Equal(output(), c.out)                     // what a person reads
		})
	}
}

func TestSessionInterrupt(t *testing.T) {
	is := is.New(t)
	f := &fake{}
	s, _ := testSession(t, f)
	s.interrupt()
	is.Equal(f.interrupts, 0) // nothing runs
	f.run = func(ctx context.Context, _ *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		s.interrupt()
		is.Equal(f.interrupts, 1) // asked
		is.NoErr(ctx.Err())       // and no more than that
		s.interrupt()
		is.Equal(f.interrupts, 1)                                 // that was of no use
		is.Equal(context.Cause(ctx), interrupted{syscall.SIGINT}) // so it is ended
		return &sandbox.Execution{Result: sandbox.Result{Outcome: sandbox.Canceled}, StateLost: true}, context.Cause(ctx)
	}
	for range 2 { // each run anew
		f.interrupts = 0
		exit, ended, err := s.run(t.Context(), "")
		is.NoErr(err)
		is.Equal(exit, 130) // 128 and SIGINT
		is.True(!ended)     // another interpreter takes over
	}
}

func TestSessionShow(t *testing.T) {
	is := is.New(t)
	f := &fake{run: func(_ context.Context, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		form := func(kind, data string) map[string][]byte { return map[string][]byte{kind: []byte(data)} }
		_, err := o.Stdout.Write([]byte("a"))
		o.Display(sandbox.Display{Data: map[string][]byte{"image/png": []byte("p"), "image/svg+xml": []byte("s"), "text/plain": []byte("<Figure>")}})
		o.Display(sandbox.Display{Data: map[string][]byte{"text/html": []byte("<b>"), "text/plain": []byte("b\x1b[2J\u202e")}})
		o.Display(sandbox.Display{Data: form("text/html", "<b>")})
		o.Display(sandbox.Display{Data: form("application/x", "y")})
		o.Display(sandbox.Display{Data: map[string][]byte{"image/jpeg": []byte("j"), "text/plain": []byte("J()")}, Value: true})
		return &sandbox.Execution{Result: sandbox.Result{Outcome: sandbox.Exited}}, err
	}}
	s, output := testSession(t, f)
	is.NoErr(os.MkdirAll(s.figures.dir, 0o755))
	is.NoErr(os.Symlink("elsewhere", filepath.Join(s.figures.dir, "figure-1.png")))
	is.NoErr(os.WriteFile(filepath.Join(s.figures.dir, "figure-2.png"), []byte("old"), 0o644))
	_, _, err := s.run(t.Context(), "")
	is.NoErr(err)
	sep := string(filepath.Separator)
	is.Equal(output(), strings.ReplaceAll("a\n"+
		"drydock: saved DIR/out/figure-3.png\ndrydock: saved DIR/out/figure-4.svg\n"+
		"b\\x1b[2J\\u202e\n<b>\n"+
		"drydock: saved DIR/out/figure-5.jpg\nJ()\n", "/", sep)) // each on lines of its own
	for name, want := range map[string]string{"figure-2.png": "old", "figure-3.png": "p", "figure-4.svg": "s", "figure-5.jpg": "j"} {
		got, err := os.ReadFile(filepath.Join(s.figures.dir, name))
		is.NoErr(err)
		is.Equal(string(got), want) // nothing overwritten
	}
	_, err = os.Stat(filepath.Join(s.figures.dir, "elsewhere"))
	is.True(errors.Is(err, os.ErrNotExist)) // not written through a link
}

func TestFiguresEnd(t *testing.T) {
	is := is.New(t)
	f := figures{dir: t.TempDir(), count: maxFigures - 1}
	_, err := f.save("png", nil)
	is.NoErr(err) // the last one
	_, err = f.save("png", nil)
	is.True(err != nil && strings.Contains(err.Error(), "at most 1000 images")) // more is refused
	f = figures{dir: t.TempDir(), bytes: maxFigureBytes}
	_, err = f.save("png", []byte{1})
	is.True(err != nil && strings.Contains(err.Error(), "256 MiB")) // by bytes, too
}

func TestLeave(t *testing.T) {
	is := is.New(t)
	for code, want := range map[string]bool{"exit": true, "quit()": true, " exit( 3 ) ": true, "exit(x)": false, "exits": false, "exit;": false} {
		is.Equal(exitStatement.MatchString(code), want) // ends the session
	}
}

func TestVisible(t *testing.T) {
	is := is.New(t)
	is.Equal(visible("a\tb\nü✓😀\uFFFD"), "a\tb\nü✓😀\uFFFD")                                                                     // text is as it is
	is.Equal(visible("\x1b]0;x\a\r\x7f\u009b\u202e\u2028\U000e0041\xff"), `\x1b]0;x\x07\x0d\x7f\x9b\u202e\u2028\U000e0041\xff`) // the rest is spelled out
}

func TestValueBelowOutput(t *testing.T) {
	is := is.New(t)
	s, output := testSession(t, &fake{run: func(_ context.Context, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		o.Display(sandbox.Display{Value: true, Data: map[string][]byte{"text/plain": []byte("2")}}) // it overtook
		_, err := fmt.Fprintln(o.Stdout, 1)
		return &sandbox.Execution{Result: sandbox.Result{Outcome: sandbox.Exited}}, err
	}})
	_, _, err := s.run(context.Background(), "print(1)\n2")
	is.NoErr(err)
	is.Equal(output(), "1\n2\n")
}
