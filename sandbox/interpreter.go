package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox/internal/interpreter"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Language is a language that a sandbox has an Interpreter for.
type Language string

// The languages. The image needs nothing but the interpreter itself.
const (
	Python Language = "python" // 3.8 or later
	Node   Language = "node"   // 16 or later
	Shell  Language = "sh"     // a POSIX shell
)

// InterpreterOptions say how an interpreter runs; nil is all defaults.
type InterpreterOptions struct {
	// Path is the program of the interpreter, looked up as that of a Command. Default: python3,
	// node or /bin/sh.
	Path string
	// Env and Dir are as in Command.
	Env []string
	Dir string
	// SVG asks for figures as SVG as well as PNG. Default: PNG only.
	SVG bool
}

// Interpreter is an interpreter that keeps its variables from one Run to the next. It is safe
// for concurrent use; runs are carried out one after the other. While no code runs, the
// Interpreter does not keep the sandbox from being Idle.
type Interpreter struct {
	sb   *Sandbox
	lang Language
	opts InterpreterOptions
	turn chan struct{} // has an element while a call runs code or restarts

	mu      sync.Mutex
	proc    *interpreterProcess // the newest; nil before the first
	version string
	closed  bool
}

// ExecutionOptions say how code runs; nil is all defaults.
type ExecutionOptions struct {
	// Timeout interrupts the code as Interrupt does. If the code has not stopped after Grace,
	// the interpreter is killed, and its variables are gone. Default: none beside the
	// context's deadline.
	Timeout time.Duration
	// Grace is the time that the code has after the interrupt; if it is negative, none.
	// Default: DefaultGrace.
	Grace time.Duration
	// Stdout and Stderr receive the output as it comes. Default: the output is captured in
	// the Execution.
	Stdout, Stderr io.Writer
	// Capture is how many bytes of each captured stream are kept. Default: DefaultCapture.
	Capture int
	// Display is called with each Display as it comes, by the goroutine that called Run.
	// Output that was printed at about the same time may come before or after it. Display
	// must not call Run or Restart. Default: displays are in the Execution only.
	Display func(Display)
}

// Execution is the result of a run of code.
type Execution struct {
	// Result is as for a command. The ExitCode is that of the last command for Shell; for
	// other languages it is 0, or 1 with an Exception. If the process has ended, the ExitCode is
	// that of the process: see StateLost.
	Result
	// Displays are the figures, images and tables that the code showed, in order, and at last
	// the value of the last expression. At most 1000 with 64 MiB in all are kept;
	// DisplaysDropped counts the others.
	Displays        []Display
	DisplaysDropped int
	// Exception is the exception that the code did not catch, or nil.
	Exception *Exception
	// StateLost: the interpreter has ended, and its variables are gone. The next Run starts a
	// new one.
	StateLost bool
	// Restarted: the interpreter had ended since the Run before, for example by a thread of
	// that code, so this code ran in a new one, without the variables.
	Restarted bool
}

// Display is a value, figure, image or table that code showed, in one or more forms.
type Display struct {
	// Data is the display in each of its forms, by MIME type: text/plain, application/json,
	// text/html, text/markdown, text/latex, image/png, image/jpeg or image/svg+xml. An image
	// is the contents of its file. HTML and SVG are hostile, like everything that comes out of
	// a sandbox.
	Data map[string][]byte
	// Value is set for the value of the last expression.
	Value bool
}

// Exception is an exception that code did not catch.
type Exception struct {
	Name  string // the name of its class, such as "KeyError"
	Value string // its message
	// Traceback is the frames, the innermost last. Those of Drydock are left out.
	Traceback []Frame
	// Text is the whole report in the language's own form.
	Text string
}

// Frame is a frame of a traceback.
type Frame struct {
	File     string // "<cell 3>" is the code of the third Run
	Line     int    // from 1
	Function string
	Text     string // the code of the line; may be empty
}

// Interpreter starts an interpreter and returns when code can run. The interpreter ends by
// Close, by itself, with the sandbox, or with the process that started it. If the image does
// not have it, the error is fs.ErrNotExist.
func (sb *Sandbox) Interpreter(ctx context.Context, lang Language, opts *InterpreterOptions) (*Interpreter, error) {
	in := &Interpreter{sb: sb, lang: lang, opts: orZero(opts), turn: make(chan struct{}, 1)}
	if interpreter.Languages[string(lang)] == nil {
		return nil, in.failure("start interpreter", invalid("there is no such language: write Python, Node or Shell"))
	}
	if _, err := in.process(ctx); err != nil {
		return nil, in.failure("start interpreter", err)
	}
	return in, nil
}

// errInterpreterClosed is the error of a Run after Close.
var errInterpreterClosed = errors.New("the interpreter was closed")

// process returns the process that runs code. It starts one if there is none, or it has ended.
func (in *Interpreter) process(ctx context.Context) (*interpreterProcess, error) {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return nil, errInterpreterClosed
	}
	if in.proc != nil && !in.proc.hasEnded() {
		defer in.mu.Unlock()
		return in.proc, nil
	}
	p, err := in.sb.startInterpreter(ctx, in.lang, &in.opts)
	if err == nil {
		// Set before the process is ready, so that Close, Restart and Interrupt reach it.
		in.proc = p
	}
	in.mu.Unlock()
	if err == nil {
		err = p.await(ctx, in.sb.config.StartTimeout, in.opts.SVG)
	}
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.version = p.version
	return p, nil
}

// Version returns the name and version of the interpreter, such as "Python 3.12.1".
func (in *Interpreter) Version() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.version
}

// Run runs code and waits for its end. Code that raises, reaches its Timeout or is interrupted
// is a result without an error. The error is set if ctx ended, which interrupts the code as
// well, or if the sandbox was lost: see Command.Wait. Output of threads and children after the
// end of the code that started them comes with the next Run.
func (in *Interpreter) Run(ctx context.Context, code string, opts *ExecutionOptions) (*Execution, error) {
	o := orZero(opts)
	x, err := in.run(ctx, code, &o)
	return x, in.failure("run code", err)
}

func (in *Interpreter) run(ctx context.Context, code string, o *ExecutionOptions) (*Execution, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	switch {
	case o.Timeout < 0 || o.Capture < 0:
		return nil, invalid("timeout %v or Capture %d is negative", o.Timeout, o.Capture)
	case len(code) > wire.MaxControl:
		return nil, &Error{Code: CodeTooLong, Err: fmt.Errorf("code of %d bytes, at most %d: write it to a file and run that", len(code), wire.MaxControl)}
	case strings.Contains(code, "\x00") || !utf8.ValidString(code):
		return nil, invalid("the code has a NUL byte, or is not UTF-8")
	}
	if err := in.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer func() { <-in.turn }()
	in.mu.Lock()
	before := in.proc
	in.mu.Unlock()
	p, err := in.process(ctx)
	if err != nil {
		return nil, err
	}
	x, err := p.run(ctx, code, o)
	x.Restarted = p != before && !before.isEndKnown()
	return x, err
}

// takeTurn waits until no other call runs code or restarts. The caller takes an element from
// turn when it is done.
func (in *Interpreter) takeTurn(ctx context.Context) error {
	select {
	case in.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Interrupt interrupts the running code, as Ctrl-C does, and keeps the variables. Its Run returns
// the Outcome Canceled. If no code runs, Interrupt does nothing.
func (in *Interpreter) Interrupt() error {
	in.mu.Lock()
	p, closed := in.proc, in.closed
	in.mu.Unlock()
	if closed {
		return in.failure("interrupt", errInterpreterClosed)
	}
	p.requestInterrupt()
	return nil
}

// Restart ends the interpreter with all processes that came of it, and starts a new one. A Run
// under way returns the Outcome Canceled.
func (in *Interpreter) Restart(ctx context.Context) error {
	in.mu.Lock()
	p := in.proc
	in.mu.Unlock()
	p.kill()
	if err := in.takeTurn(ctx); err != nil {
		return in.failure("restart interpreter", err)
	}
	defer func() { <-in.turn }()
	_, err := in.process(ctx)
	return in.failure("restart interpreter", err)
}

// Close ends the interpreter with all processes that came of it. It returns when they are gone
// and the output has been written, so a writer that blocks delays it. A Run under way returns the
// Outcome Canceled. Close may be called any number of times.
func (in *Interpreter) Close() error {
	in.mu.Lock()
	in.closed = true
	p := in.proc
	in.mu.Unlock()
	p.kill()
	return nil
}

func (in *Interpreter) failure(op string, err error) error {
	return in.sb.failure(op, string(in.lang), err)
}
