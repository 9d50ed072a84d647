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
the next. Without -c and FILE it shows a prompt; if stdin is no terminal, all of stdin is one
script. At the prompt Ctrl-C interrupts the code, a second Ctrl-C ends the interpreter and its
variables, and Ctrl-D or exit ends the session.

The value of a last expression is printed. Figures and images are saved as files, whose names are
printed on stderr. Output of the code is passed on unchanged, and after it the terminal is reset.
Control characters in values and tracebacks are spelled out.

  -c CODE               run this code; may be repeated
  FILE                  run a file of this host, after the code of -c
  -i                    go on with the prompt, or stdin
  --out DIR             the directory in which images are saved (default out)
  --timeout D           interrupt a run, and then end it, after 30s, 5m, 1h30m

` + commonUsage + `
Exits with 1 after an exception, with the code of sys.exit, or with:
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
	// An interrupt is for the code. After SIGPIPE nobody reads what is printed.
	signals := slices.DeleteFunc(slices.Clone(terminalSignals), func(s os.Signal) bool {
		return s == os.Interrupt || s == syscall.SIGPIPE
	})
	ctx, stop := untilSignal(context.Background(), signals...)
	defer stop()
	code, err := in.run(ctx, sources, terminal && in.continues())
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock:", err)
	}
	return code
}

// continues reports whether the prompt or stdin follows the code of the arguments.
func (in *pythonInvocation) continues() bool {
	return in.interactive || len(in.code)+len(in.files) == 0
}

// sources returns the code to run before the prompt.
func (in *pythonInvocation) sources(terminal bool) ([]string, error) {
	all := slices.Clone(in.code)
	for _, name := range in.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, string(text))
	}
	if in.continues() && !terminal {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		all = append(all, string(text))
	}
	return all, nil
}

// run opens a sandbox, runs the sources and the prompt in it, and closes it.
func (in *pythonInvocation) run(ctx context.Context, sources []string, prompt bool) (int, error) {
	if prompt {
		defer discardInput(os.Stdin)
	}
	openCtx, stopOpening := untilSignal(ctx, os.Interrupt)
	defer stopOpening()
	sb, err := in.open(openCtx)
	if err != nil {
		return exitCode(nil, err), err
	}
	defer sb.Close()
	py, err := sb.Interpreter(openCtx, sandbox.Python, nil)
	if err != nil {
		return exitCode(nil, err), err
	}
	s := newSession(py, os.Stdout, os.Stderr)
	s.timeout, s.figures.dir = in.timeout, in.out
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	stopOpening()
	defer close(interrupts)
	defer signal.Stop(interrupts)
	go func() {
		for range interrupts {
			s.interrupt()
		}
	}()
	for _, code := range sources {
		exit, ended, err := s.run(ctx, code)
		if ended || exit != 0 && !prompt {
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

// interpreter is the part of a sandbox.Interpreter that a session needs.
type interpreter interface {
	Run(ctx context.Context, code string, opts *sandbox.ExecutionOptions) (*sandbox.Execution, error)
	Interrupt() error
}

// session runs code and shows its results.
type session struct {
	in       interpreter
	timeout  time.Duration // of each run
	figures  figures
	out, err *display

	mu                sync.Mutex
	cancel            func() // of the run under way
	interruptedBefore bool   // the run under way was interrupted
}

// display is stdout or stderr, with the state of the screen that it is on.
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

// print writes lines of this program.
func (d *display) print(text string) {
	d.screen.freshLine(d.to)
	// An error of stdout or stderr could not be reported anywhere.
	_, _ = io.WriteString(d, strings.TrimSuffix(text, "\n")+"\n")
}

// say writes a line of this program on stderr.
func (s *session) say(format string, args ...any) {
	s.err.print("drydock: " + fmt.Sprintf(format, args...))
}

// interrupt interrupts the running code. It ends code that was interrupted before and still
// runs.
func (s *session) interrupt() {
	s.mu.Lock()
	cancel, interruptedBefore := s.cancel, s.interruptedBefore
	s.interruptedBefore = true
	s.mu.Unlock()
	switch {
	case cancel == nil:
	case interruptedBefore:
		cancel()
	default:
		// If the sandbox is lost, Run returns the error.
		_ = s.in.Interrupt()
	}
}

func (s *session) begin(cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel, s.interruptedBefore = cancel, false
}

// run runs code. It returns the exit code for the session, and whether the session has ended:
// because the sandbox is lost, or because the code called sys.exit.
func (s *session) run(ctx context.Context, code string) (exit int, ended bool, err error) {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.begin(func() { cancel(interrupted{syscall.SIGINT}) })
	var values []sandbox.Display
	x, err := s.in.Run(running, code, &sandbox.ExecutionOptions{
		Timeout: s.timeout, Stdout: s.out, Stderr: s.err, Display: func(d sandbox.Display) {
			if d.Value {
				values = append(values, d) // shown below the output of the code
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
		s.say("the interpreter has ended (%s), and its variables are gone", describeEnd(&x.Result))
	}
	exit = exitCode(&x.Result, nil)
	if x.Outcome == sandbox.Canceled {
		exit = exitSignal + int(syscall.SIGINT)
	}
	// An exit code without an exception is that of sys.exit.
	ended = x.Outcome == sandbox.Exited && exit != 0 && x.Exception == nil && !x.StateLost
	return exit, ended, nil
}

// describeEnd says in a few words how a process ended.
func describeEnd(r *sandbox.Result) string {
	switch {
	case r.Outcome == sandbox.Exited:
		return fmt.Sprintf("exit code %d", r.ExitCode)
	case r.Outcome == sandbox.Signaled:
		return r.Signal
	}
	return strings.ReplaceAll(string(r.Outcome), "_", " ")
}

// imageTypes are the types that become files, textTypes those that can be printed, the best first.
var (
	imageTypes = []struct{ kind, ext string }{{"image/png", "png"}, {"image/jpeg", "jpg"}, {"image/svg+xml", "svg"}}
	textTypes  = []string{"text/plain", "text/markdown", "text/latex", "application/json", "text/html"}
)

// show saves or prints a display of the code.
func (s *session) show(d sandbox.Display) {
	saved := false
	for _, image := range imageTypes {
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
		return // its text is only the name and the size of a figure
	}
	for _, kind := range textTypes {
		if data, ok := d.Data[kind]; ok {
			s.out.print(visible(string(data)))
			return
		}
	}
}

// exitStatement matches the statements that end a session.
var exitStatement = regexp.MustCompile(`^\s*(?:exit|quit)(?:\s*\(\s*([0-9]{0,3})\s*\))?\s*$`)

// prompt runs the statements that a person types until one ends the session.
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
		if m := exitStatement.FindStringSubmatch(code); m != nil {
			exit, _ := strconv.Atoi(m[1]) // no number is 0
			return exit & 0xff, nil
		}
		if strings.TrimSpace(code) == "" {
			continue
		}
		if exit, ended, err := s.run(ctx, code); ended {
			return exit, err
		}
	}
}
