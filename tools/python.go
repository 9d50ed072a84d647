package tools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// interpreter is what the tools need of a sandbox.Interpreter.
type interpreter interface {
	Run(ctx context.Context, code string, opts *sandbox.ExecutionOptions) (*sandbox.Execution, error)
	Restart(ctx context.Context) error
	Close() error
}

// pythonState is the Python of a Set. Set.mu guards it; a call holds the lock of pythonLock.
type pythonState struct {
	in   interpreter // nil until it is needed
	lost bool        // variables are gone, and the model was not told yet
}

// pythonLock is the key that calls of python lock.
const pythonLock = "python"

// pythonDescription has the default timeout in seconds for %d.
const pythonDescription = "Run Python code in the sandbox and return what it prints and the value of its last " +
	"expression; figures (matplotlib) come as images. Variables, imports and functions last from one call to the " +
	"next. Code is interrupted after timeout_seconds (%d unless given)."

func pythonTool(o *Options) Tool {
	timeout, maxTimeout := o.seconds()
	return Tool{
		Name: "python", op: OpExecute, Destructive: true, run: (*call).runPython,
		Description: fmt.Sprintf(pythonDescription, timeout),
		params: []param{
			{name: "code", kind: "string", max: 1_000_000, about: "The code.", want: "Python code"},
			{name: "timeout_seconds", kind: "integer", def: timeout, min: 1, max: maxTimeout,
				about: "Seconds after which it is interrupted.", want: "the seconds"},
			{name: "restart", kind: "boolean", def: false,
				about: "Start anew, without variables, before the code is run; code can be left out."},
		},
	}
}

func (c *call) runPython(ctx context.Context) (*Result, error) {
	code, seconds, restart := c.args.str("code"), c.args.num("timeout_seconds"), c.args.flag("restart")
	blank := strings.TrimSpace(code) == ""
	if blank && !restart {
		return nil, stop(`parameter "code" is missing or has only white space in it: give Python code as a string`)
	}
	if err := c.permitPython(ctx, code); err != nil {
		return nil, err
	}
	unlock, err := c.lock(ctx, pythonLock)
	if err != nil {
		return nil, err
	}
	defer unlock()
	in, err := c.interpreter(ctx, restart, seconds)
	if err != nil {
		return nil, err
	}
	if blank {
		c.setLost(false)
		return &Result{Text: "Python was started anew: there are no variables"}, nil
	}
	out := &headTail{limit: c.o.MaxOutput - 2*reserve}
	stdout, stderr := &lineWriter{to: out}, &lineWriter{to: out}
	e, err := in.Run(ctx, code, &sandbox.ExecutionOptions{
		Timeout: time.Duration(seconds) * time.Second, Stdout: stdout, Stderr: stderr,
	})
	stdout.flush()
	stderr.flush()
	if err != nil {
		if e != nil && e.StateLost {
			c.setLost(true)
		}
		return nil, c.pythonFailure(ctx, err)
	}
	return c.execution(e, out, seconds), nil
}

// interpreter returns the Set's Python. It starts it if there is none.
func (c *call) interpreter(ctx context.Context, restart bool, seconds int) (interpreter, error) {
	c.mu.Lock()
	in, closed := c.python.in, c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return nil, errors.New("tools: python was called after Close: make another Set")
	case in != nil && !restart:
		return in, nil
	}
	starting, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	var err error
	if in != nil {
		c.setLost(true) // even if the restart fails
		err = in.Restart(starting)
	} else {
		in, err = c.processes.startPython(starting, &sandbox.InterpreterOptions{Env: c.o.Env, Dir: c.o.Dir})
	}
	if err != nil {
		if starting.Err() != nil && context.Cause(ctx) == nil {
			return nil, stop("Python did not start within %d s: raise timeout_seconds%s", seconds,
				c.hint("execute", ", or find out with execute what keeps the sandbox busy"))
		}
		return nil, c.pythonFailure(ctx, err)
	}
	c.mu.Lock()
	if closed = c.closed; !closed {
		c.python.in = in
	}
	c.mu.Unlock()
	if closed {
		// Close has not seen it.
		return nil, errors.Join(errors.New("tools: the Set was closed while Python started"), in.Close())
	}
	return in, nil
}

// setLost sets whether the model has yet to be told that variables are gone, and returns
// whether it had.
func (s *Set) setLost(now bool) (before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.python.lost = s.python.lost, now
	return before
}

// pythonFailure is failure for an operation on the interpreter.
func (c *call) pythonFailure(ctx context.Context, err error) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	e, ok := errors.AsType[*sandbox.Error](err)
	switch {
	case closed, context.Cause(ctx) != nil, errors.Is(err, sandbox.ErrLost), errors.Is(err, sandbox.ErrClosed), errors.Is(err, sandbox.ErrEngine):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return stop("this sandbox has no python3: python cannot be used here%s",
			c.hint("execute", "; use execute with the shell and the programs that there are"))
	case ok && e.Code == "":
		// Python has failed, and the sandbox has not.
		return stop("Python failed: %s; call python again with restart%s", plain(err.Error()),
			c.hint("execute", ", or find out with execute what is wrong with python3"))
	}
	return c.failure(ctx, "python3", err)
}

// execution returns the result of code whose output is in out.
func (c *call) execution(e *sandbox.Execution, out *headTail, seconds int) *Result {
	r := &Result{IsError: e.Exception != nil || !e.OK()}
	displays, notes := c.displays(e.Displays, out, r)
	if n := e.DisplaysDropped; n > 0 {
		notes = append(notes, plural(n, "display was", "displays were")+" dropped: show less at once")
	}
	type exception struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var raised *exception
	if x := e.Exception; x != nil {
		out.line(strings.TrimSuffix(x.Text, "\n") + "\n")
		raised = &exception{cutText(clean(x.Name), 1000), cutText(clean(x.Value), c.o.MaxOutput)}
	}
	var p strings.Builder
	if c.setLost(e.StateLost) || e.Restarted {
		p.WriteString("[Python was started anew before this: variables and imports of earlier calls are gone]\n")
	}
	text, dropped := out.text()
	writeOutput(&p, text)
	if dropped > 0 {
		fmt.Fprintf(&p, "[%d bytes were dropped in the middle: print less, or write it to a file]\n", dropped)
	}
	for _, note := range notes {
		fmt.Fprintf(&p, "[%s]\n", note)
	}
	if note := c.pythonOutcome(e, seconds); note != "" {
		fmt.Fprintf(&p, "[%s]\n", note)
	}
	r.Text = strings.TrimSuffix(p.String(), "\n")
	r.JSON = structured(struct {
		Outcome   string         `json:"outcome"`
		ExitCode  int            `json:"exit_code"`
		Signal    string         `json:"signal,omitempty"`
		StateLost bool           `json:"state_lost"`
		Millis    int64          `json:"duration_ms"`
		Dropped   int64          `json:"dropped_bytes,omitempty"`
		Exception *exception     `json:"exception,omitempty"`
		Displays  []displayEntry `json:"displays"`
	}{string(e.Outcome), e.ExitCode, e.Signal, e.StateLost, e.Duration.Milliseconds(), dropped, raised, displays})
	return r
}

// pythonOutcome describes the end of code and the state of its variables. It is empty if code
// ended by itself or by an exception, and the variables are kept.
func (c *call) pythonOutcome(e *sandbox.Execution, seconds int) string {
	variables := "; variables and imports are kept"
	if e.StateLost {
		variables = "; Python has ended with its variables: the next call starts it anew, so import and define again what you need"
	}
	switch {
	case e.Outcome == sandbox.TimedOut:
		end := "interrupted"
		if e.StateLost {
			end = "killed"
		}
		return fmt.Sprintf("timed out after %d s and was %s%s; do less at once, run it as a program%s",
			seconds, end, variables, c.hint("start_job", " with start_job")) + c.longer(seconds)
	case e.Outcome == sandbox.Canceled:
		return "interrupted" + variables
	case e.StateLost:
		return ending(&e.Result) + variables
	case e.OK() || e.Exception != nil:
		return ""
	}
	return ending(&e.Result) + variables
}
