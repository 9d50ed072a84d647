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

// Language is one that a sandbox can keep an interpreter of.
type Language string

// The languages. Nothing but the interpreter itself has to be in the image.
const (
	Python Language = "python" // 3.8 or later
	Node   Language = "node"   // 16 or later
	Shell  Language = "sh"
)

// InterpreterOptions say how an interpreter runs; nil is all defaults.
type InterpreterOptions struct {
	// Path is its program. Default: python3, node or /bin/sh, found as a Command's is.
	Path string
	// Env and Dir are as a Command's.
	Env []string
	Dir string
	// SVG asks for figures as SVG beside PNG. Default: PNG alone.
	SVG bool
}

// Interpreter is an interpreter that keeps its variables from one Run to the next. It is
// safe for concurrent use; runs are carried out one after the other. While none is, it
// does not keep the sandbox from being Idle.
type Interpreter struct {
	sb   *Sandbox
	lang Language
	opts InterpreterOptions
	turn chan struct{} // held by whoever runs code, or restarts

	mu      sync.Mutex
	proc    *interpreterProcess // the newest; nil before the first
	version string
	closed  bool
}

// ExecutionOptions say how code runs; nil is all defaults.
type ExecutionOptions struct {
	// Timeout interrupts the code as Interrupt does. Where it has not stopped after Grace
	// the interpreter is killed, with its variables. Default: none but that of the context.
	Timeout time.Duration
	// Grace is the time that the code has after the interrupt. Default: DefaultGrace.
	Grace time.Duration
	// Stdout and Stderr take what the code writes, as it comes. Default: captured in the
	// Execution.
	Stdout, Stderr io.Writer
	// Capture is how many bytes of a captured stream are kept. Default: DefaultCapture.
	Capture int
	// Display is told of each Display as it comes, by the goroutine that called Run. What was
	// printed around the same time comes before or after it, and all of it before Run
	// returns. It must not call Run or Restart. Default: they are only in the Execution.
	Display func(Display)
}

// Execution is what a run of code left.
type Execution struct {
	// Result is as a command's. The ExitCode is that of the last command for Shell; else 0,
	// or 1 with an Exception. It is the process's own where that has ended: see StateLost.
	Result
	// Displays are what the code showed, in its order: figures, images, tables, and last the
	// value of the last expression. At most 64 MiB of them are kept; DisplaysDropped counts
	// the others.
	Displays        []Display
	DisplaysDropped int
	// Exception is what the code raised and did not catch, or nil.
	Exception *Exception
	// StateLost: the interpreter has ended, and its variables are gone. The next Run starts
	// another.
	StateLost bool
	// Restarted: it had ended after the Run before, by a thread or a signal of its own, and
	// the code ran in another, without the variables.
	Restarted bool
}

// Display is something that code showed, in one form or more.
type Display struct {
	// Data are the forms by MIME type: text/plain, application/json, text/html,
	// text/markdown, text/latex, image/png, image/jpeg, image/svg+xml. Images are the bytes of their
	// files. What is HTML or SVG is hostile like all that comes out of a sandbox.
	Data map[string][]byte
	// Value marks the value of the last expression.
	Value bool
}

// Exception is an exception that code did not catch.
type Exception struct {
	Name  string // of its class, such as "KeyError"
	Value string // its message
	// Traceback are the frames, the innermost last; those of Drydock are left out.
	Traceback []Frame
	// Text is all of it in the language's own form.
	Text string
}

// Frame is a line of a traceback.
type Frame struct {
	File     string // "<cell 3>" is the code of the third Run
	Line     int    // from 1
	Function string
	Text     string // of the line; may be empty
}

// Interpreter starts an interpreter, which lives until Close, the sandbox's end, its own,
// or that of the process that started it. It returns when code can run. One that the image
// does not have is an error that is fs.ErrNotExist.
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

// errInterpreterClosed is what a Run of a closed interpreter finds.
var errInterpreterClosed = errors.New("the interpreter was closed")

// process returns the process that runs code, and starts one where there is none any more.
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
		// From here on Close, Restart and Interrupt find it.
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

// Version tells what runs, such as "Python 3.12.1".
func (in *Interpreter) Version() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.version
}

// Run runs code and waits for its end. Code that raises is a result. The error is nil
// however the code ended by itself, by its Timeout or by Interrupt; it is not when ctx
// ended, which interrupts the code too, or when the sandbox was lost: see Command.Wait.
// What threads and children write after the end of the code that started them comes with
// the next Run.
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
		return nil, invalid("timeout %v or capture limit %d is negative", o.Timeout, o.Capture)
	case len(code) > wire.MaxControl:
		return nil, &Error{Code: CodeTooLong, Err: fmt.Errorf("code of %d bytes, at most %d: write it to a file and run that", len(code), wire.MaxControl)}
	case strings.Contains(code, "\x00") || !utf8.ValidString(code):
		return nil, invalid("a NUL byte in the code, or bytes that are no UTF-8")
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

// takeTurn waits until no other call runs code.
func (in *Interpreter) takeTurn(ctx context.Context) error {
	select {
	case in.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Interrupt interrupts the code that runs, as Ctrl-C does, and keeps the variables. Its
// Run returns Canceled. Where none runs nothing happens.
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

// Restart ends the interpreter with all that came of it and starts another. A Run under
// way returns Canceled.
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

// Close ends the interpreter with all that came of it, and returns when it is gone and its
// output has been taken: a writer that blocks holds it up. A Run under way returns
// Canceled. It may be called any number of times.
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
