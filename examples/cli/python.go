package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"golang.org/x/term"
)

const pythonUsage = `usage: drydock python [FLAG...] [FILE...]

Runs Python in a sandbox as drydock run does, and keeps the variables from one piece of code to
the next. Without -c and FILE it is a prompt, or where stdin is no terminal all of stdin is
one script. At the prompt Ctrl-C interrupts the code, and once more ends it with its variables;
Ctrl-D or exit ends the session.

The value of a last expression is printed. Figures and images become files; which, is on stderr.
What the code writes comes as it is; in values and tracebacks all that a terminal would obey is
spelled out, and what the output changed of the terminal is undone.

  -c CODE               run it; may be repeated
  FILE                  a file of this host to run, after what -c says
  -i                    then go on with the prompt, or stdin
  --out DIR             where images are saved (default out)
  --timeout D           interrupt each run, and then end it, after 30s, 5m, 1h30m

` + commonUsage + `
Exits with 1 after an exception and with the code of sys.exit. Else:
  2 wrong usage   124 timed out   125 no sandbox, or lost   127 no python3   130 interrupted
`

// python is the command of that name; it returns the exit code.
func python(args []string) int {
	in, err := parsePython(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(pythonUsage)
		return 0
	}
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	var sources []string
	if err == nil {
		sources, err = in.sources(terminal)
	}
	if err != nil {
		return misuse(os.Stderr, "python", err.Error())
	}
	// An interrupt is for the code, and who closed stdout wants no more words.
	ending := slices.DeleteFunc(slices.Clone(terminalSignals), func(s os.Signal) bool {
		return s == os.Interrupt || s == syscall.SIGPIPE
	})
	ctx, stop := untilSignal(context.Background(), ending...)
	defer stop()
	code, err := in.run(ctx, sources, terminal && in.goesOn())
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock:", err)
	}
	return code
}

// goesOn reports whether there is more than what the arguments say.
func (in *pythonInvocation) goesOn() bool {
	return in.interactive || len(in.code)+len(in.files) == 0
}

// sources returns what to run first.
func (in *pythonInvocation) sources(terminal bool) ([]string, error) {
	all := slices.Clone(in.code)
	for _, name := range in.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, string(text))
	}
	if in.goesOn() && !terminal {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		all = append(all, string(text))
	}
	return all, nil
}

// run opens the sandbox, runs the sources and the prompt in it, and closes it.
func (in *pythonInvocation) run(ctx context.Context, sources []string, prompt bool) (int, error) {
	if prompt {
		defer discardInput(os.Stdin)
	}
	opening, opened := untilSignal(ctx, os.Interrupt)
	defer opened()
	sb, err := in.open(opening)
	if err != nil {
		return exitCode(nil, err), err
	}
	defer sb.Close()
	py, err := sb.Interpreter(opening, sandbox.Python, nil)
	if err != nil {
		return exitCode(nil, err), err
	}
	s := newSession(py, os.Stdout, os.Stderr)
	s.timeout, s.figures.dir = in.timeout, in.out
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	opened()
	defer close(interrupts)
	defer signal.Stop(interrupts)
	go func() {
		for range interrupts {
			s.interrupt()
		}
	}()
	for _, code := range sources {
		exit, over, err := s.run(ctx, code)
		if over || exit != 0 && !prompt {
			return exit, err
		}
	}
	if !prompt {
		return 0, nil
	}
	s.say("%s in a sandbox; Ctrl-C interrupts, Ctrl-D ends, images go to %s", visible(py.Version()), in.out)
	screen := os.Stdout
	if !term.IsTerminal(int(screen.Fd())) {
		screen = os.Stderr
	}
	return s.prompt(ctx, newKeyboard(os.Stdin, screen))
}

// interpreter is what a session needs of a sandbox.Interpreter.
type interpreter interface {
	Run(ctx context.Context, code string, opts *sandbox.ExecutionOptions) (*sandbox.Execution, error)
	Interrupt() error
}

// session runs code and shows what comes of it.
type session struct {
	in       interpreter
	timeout  time.Duration // of each run
	figures  figures
	out, err *display

	mu     sync.Mutex
	cancel func() // of the run under way
	asked  bool   // it was interrupted before
}

// display is stdout or stderr, and what is known of the screen that it is on.
type display struct {
	io.Writer
	screen *screen
	to     *os.File
}

func newSession(in interpreter, stdout, stderr *os.File) *session {
	out, err := &screen{}, &screen{}
	if sameFile(stdout, stderr) {
		err = out
	}
	return &session{
		in:  in,
		out: &display{out.writer(stdout), out, stdout},
		err: &display{err.writer(stderr), err, stderr},
	}
}

// sameFile reports whether a and b are one terminal, file or pipe.
func sameFile(a, b *os.File) bool {
	one, err := a.Stat()
	if err != nil {
		return false
	}
	other, err := b.Stat()
	return err == nil && os.SameFile(one, other)
}

// print writes lines of our own.
func (d *display) print(text string) {
	d.screen.freshLine(d.to)
	// There is nobody left to tell of a stdout or stderr that takes no more.
	_, _ = io.WriteString(d, strings.TrimSuffix(text, "\n")+"\n")
}

// say writes a line of our own on stderr.
func (s *session) say(format string, args ...any) {
	s.err.print("drydock: " + fmt.Sprintf(format, args...))
}

// interrupt interrupts the code that runs. Code that was interrupted before and still runs
// is ended.
func (s *session) interrupt() {
	s.mu.Lock()
	cancel, asked := s.cancel, s.asked
	s.asked = true
	s.mu.Unlock()
	switch {
	case cancel == nil:
	case asked:
		cancel()
	default:
		// Of a sandbox that is lost Run tells.
		_ = s.in.Interrupt()
	}
}

func (s *session) begin(cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel, s.asked = cancel, false
}

// run runs code and returns what the session would exit with, and whether it is over:
// the sandbox has gone, or the code asked for the end.
func (s *session) run(ctx context.Context, code string) (exit int, over bool, err error) {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.begin(func() { cancel(interrupted{syscall.SIGINT}) })
	var values []sandbox.Display
	x, err := s.in.Run(running, code, &sandbox.ExecutionOptions{
		Timeout: s.timeout, Stdout: s.out, Stderr: s.err, Display: func(d sandbox.Display) {
			if d.Value {
				values = append(values, d) // it belongs below what was printed before it
				return
			}
			s.show(d)
		},
	})
	s.begin(nil)
	for _, d := range values {
		s.show(d)
	}
	for _, d := range []*display{s.out, s.err} {
		d.screen.reset(d.to)
	}
	if x == nil || err != nil && !errors.Is(err, interrupted{syscall.SIGINT}) {
		var r *sandbox.Result
		if x != nil {
			r = &x.Result
		}
		return exitCode(r, err), true, err
	}
	if x.DisplaysDropped > 0 {
		s.say("%d more images or values were left out", x.DisplaysDropped)
	}
	if x.Exception != nil {
		s.err.print(visible(x.Exception.Text))
	}
	switch {
	case x.Outcome == sandbox.TimedOut:
		s.say("timed out after %v", s.timeout)
	case x.Outcome == sandbox.Canceled && x.Exception == nil:
		s.say("interrupted")
	}
	if x.StateLost {
		s.say("the interpreter has ended (%s), and its variables are gone", ending(&x.Result))
	}
	exit = exitCode(&x.Result, nil)
	if x.Outcome == sandbox.Canceled {
		exit = exitSignal + int(syscall.SIGINT)
	}
	// Without an exception that is sys.exit.
	over = x.Outcome == sandbox.Exited && exit != 0 && x.Exception == nil && !x.StateLost
	return exit, over, nil
}

// ending is how a process ended, in a few words.
func ending(r *sandbox.Result) string {
	switch {
	case r.Outcome == sandbox.Exited:
		return fmt.Sprintf("exit code %d", r.ExitCode)
	case r.Outcome == sandbox.Signaled:
		return r.Signal
	}
	return strings.ReplaceAll(string(r.Outcome), "_", " ")
}

// images are the forms that become files, and texts those that can be printed, the best
// one first.
var (
	images = []struct{ kind, ext string }{{"image/png", "png"}, {"image/jpeg", "jpg"}, {"image/svg+xml", "svg"}}
	texts  = []string{"text/plain", "text/markdown", "text/latex", "application/json", "text/html"}
)

// show saves or prints what code displayed.
func (s *session) show(d sandbox.Display) {
	saved := false
	for _, image := range images {
		data, ok := d.Data[image.kind]
		if !ok {
			continue
		}
		saved = true
		if name, err := s.figures.save(image.ext, data); err != nil {
			s.say("an image was not saved: %v", err)
		} else {
			s.say("saved %s", name)
		}
	}
	if saved && !d.Value {
		return // its text is the name of a class and a number
	}
	for _, kind := range texts {
		if data, ok := d.Data[kind]; ok {
			s.out.print(visible(string(data)))
			return
		}
	}
}

// leave is how a session is ended in Python.
var leave = regexp.MustCompile(`^\s*(?:exit|quit)(?:\s*\(\s*([0-9]{0,3})\s*\))?\s*$`)

// prompt runs what a person types until that ends the session.
func (s *session) prompt(ctx context.Context, k *keyboard) (int, error) {
	for {
		s.out.screen.freshLine(k.out)
		code, err := readStatement(func(prompt string) (string, bool, error) { return k.ask(ctx, prompt) })
		if err != nil {
			fmt.Fprintln(k.out)
		}
		if errors.Is(err, errDropped) {
			continue
		}
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return exitCode(nil, err), err
		}
		if m := leave.FindStringSubmatch(code); m != nil {
			exit, _ := strconv.Atoi(m[1]) // none is 0
			return exit & 0xff, nil
		}
		if strings.TrimSpace(code) == "" {
			continue
		}
		if exit, over, err := s.run(ctx, code); over {
			return exit, err
		}
	}
}
