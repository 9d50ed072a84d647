package sandbox

import (
	"io"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// pipe is a standard file of a command that its caller reads or writes: the stream
// itself, with nothing copied in between.
type pipe struct {
	name string
	out  bool

	mu sync.Mutex
	s  *wire.Stream
}

func (p *pipe) open(s *wire.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.s = s
}

func (p *pipe) stream(op string) (*wire.Stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.s == nil {
		return nil, failure(op, p.name, errNotStarted)
	}
	return p.s, nil
}

func (p *pipe) Read(b []byte) (int, error) {
	s, err := p.stream("read")
	if err != nil {
		return 0, err
	}
	return s.Read(b)
}

func (p *pipe) WriteTo(w io.Writer) (int64, error) {
	s, err := p.stream("read")
	if err != nil {
		return 0, err
	}
	return s.WriteTo(w)
}

func (p *pipe) Write(b []byte) (int, error) {
	s, err := p.stream("write")
	if err != nil {
		return 0, err
	}
	return s.Write(b)
}

func (p *pipe) Close() error {
	s, err := p.stream("close")
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
		return nil, failure("pipe", "stdin", invalid("the field Stdin is set already"))
	}
	return c.openPipe(0, "stdin")
}

// StdoutPipe returns what the command will write once it is started. Read it to its end,
// or Close it: a command whose output nobody takes waits, and so does Wait. It can be
// read before, while and after Wait is called.
func (c *Command) StdoutPipe() (io.ReadCloser, error) {
	if c.Stdout != nil {
		return nil, failure("pipe", "stdout", invalid("the field Stdout is set already"))
	}
	return c.openPipe(1, "stdout")
}

// StderrPipe is StdoutPipe for the other stream.
func (c *Command) StderrPipe() (io.ReadCloser, error) {
	if c.Stderr != nil {
		return nil, failure("pipe", "stderr", invalid("the field Stderr is set already"))
	}
	return c.openPipe(2, "stderr")
}

func (c *Command) openPipe(i int, name string) (*pipe, error) {
	if c.call != nil || c.pipes[i] != nil {
		return nil, failure("pipe", name, invalid("the command was started, or the pipe was asked for, before"))
	}
	c.pipes[i] = &pipe{name: name, out: i > 0}
	return c.pipes[i], nil
}
