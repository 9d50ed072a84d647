package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// pipe is a standard file of a command that its caller reads or writes: the stream
// itself, with nothing copied in between.
type pipe struct {
	out bool

	mu sync.Mutex
	s  *wire.Stream
}

func (p *pipe) open(s *wire.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.s = s
}

func (p *pipe) stream() (*wire.Stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.s == nil {
		return nil, errors.New("the command was not started")
	}
	return p.s, nil
}

func (p *pipe) Read(b []byte) (int, error) {
	s, err := p.stream()
	if err != nil {
		return 0, err
	}
	return s.Read(b)
}

func (p *pipe) WriteTo(w io.Writer) (int64, error) {
	s, err := p.stream()
	if err != nil {
		return 0, err
	}
	return s.WriteTo(w)
}

func (p *pipe) Write(b []byte) (int, error) {
	s, err := p.stream()
	if err != nil {
		return 0, err
	}
	return s.Write(b)
}

func (p *pipe) Close() error {
	s, err := p.stream()
	switch {
	case err != nil:
		return err
	case p.out:
		s.CloseRead()
	default:
		// A command that has ended reads no more.
		_ = s.CloseWrite()
	}
	return nil
}

// StdinPipe returns what the command will read once it is started. Close is its end; a
// Write after the command's own end fails.
func (c *Command) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil {
		return nil, &Error{Op: "pipe", Name: "stdin", Code: CodeInvalid, Err: errors.New("the field Stdin is set already")}
	}
	return c.openPipe(0, "stdin")
}

// StdoutPipe returns what the command will write once it is started. Read it to its end,
// or Close it: a command whose output nobody takes waits, and so does Wait. It can be
// read before, while and after Wait is called.
func (c *Command) StdoutPipe() (io.ReadCloser, error) {
	if c.Stdout != nil {
		return nil, &Error{Op: "pipe", Name: "stdout", Code: CodeInvalid, Err: errors.New("the field Stdout is set already")}
	}
	return c.openPipe(1, "stdout")
}

// StderrPipe is StdoutPipe for the other stream.
func (c *Command) StderrPipe() (io.ReadCloser, error) {
	if c.Stderr != nil {
		return nil, &Error{Op: "pipe", Name: "stderr", Code: CodeInvalid, Err: errors.New("the field Stderr is set already")}
	}
	return c.openPipe(2, "stderr")
}

func (c *Command) openPipe(i int, name string) (*pipe, error) {
	if c.call != nil || c.pipes[i] != nil {
		return nil, &Error{Op: "pipe", Name: name, Code: CodeInvalid,
			Err: errors.New("the command was started, or the pipe was asked for, before")}
	}
	c.pipes[i] = &pipe{out: i > 0}
	return c.pipes[i], nil
}

// ExitError is a command that did not exit with code 0, where only its output was asked
// for.
type ExitError struct {
	*Result
}

func (e *ExitError) Error() string {
	text := string(e.Outcome)
	switch {
	case e.Outcome == Exited:
		text = fmt.Sprintf("exit code %d", e.ExitCode)
	case e.Signal != "":
		text += " by " + e.Signal
	}
	const most = 500
	if tail := e.Stderr; len(tail) > 0 {
		text += ": " + printable(string(tail[max(0, len(tail)-most):]))
	}
	return text
}

// MaxOutputKept is how much Output and CombinedOutput return, unless Capture says
// otherwise.
const MaxOutputKept = 8 << 20

// Output runs the command and returns all that it wrote to stdout. A command that did not
// exit with code 0 is an *ExitError, with what it wrote to stderr; more output than
// Capture, by default MaxOutputKept, is ErrTooLarge.
func (c *Command) Output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, c.sb.failure("exec", c.name(), &wire.Error{Code: wire.CodeInvalid, Text: "Stdout is set already"})
	}
	return c.output(ctx)
}

// CombinedOutput is Output for stdout and stderr together, in the order of writing.
func (c *Command) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, c.sb.failure("exec", c.name(), &wire.Error{Code: wire.CodeInvalid, Text: "Stdout or Stderr is set already"})
	}
	c.join = true
	return c.output(ctx)
}

func (c *Command) output(ctx context.Context) ([]byte, error) {
	if c.Capture == 0 {
		c.Capture = MaxOutputKept
	}
	r, err := c.Run(ctx)
	switch {
	case r == nil:
		return nil, err
	case err != nil:
		return r.Stdout, err
	case !r.OK():
		return r.Stdout, &Error{Op: "exec", Name: c.name(), Err: &ExitError{r}}
	case r.StdoutDropped > 0:
		return r.Stdout, c.sb.failure("exec", c.name(), &wire.Error{Code: wire.CodeTooLarge,
			Text: fmt.Sprintf("%d bytes more than the %d that are kept: set Capture, or read StdoutPipe", r.StdoutDropped, c.Capture)})
	}
	return r.Stdout, nil
}
