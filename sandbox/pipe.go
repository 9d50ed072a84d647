package sandbox

import (
	"io"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// pipe is stdin, stdout or stderr of a command for its caller to write or read. It uses the
// stream directly: no goroutine copies in between.
type pipe struct {
	name string
	out  bool // the caller reads

	mu sync.Mutex
	s  *wire.Stream // nil until the command is started
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
		// It fails only if the command has ended, which needs no end of its stdin.
		_ = s.CloseWrite()
	}
	return nil
}

// StdinPipe returns a writer to the command's stdin. Use it once the command is started, and
// Close it to end the command's stdin. A Write after the command's end fails.
func (c *Command) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil {
		return nil, failure("pipe", "stdin", invalid("the field Stdin is set already"))
	}
	return c.openPipe(0, "stdin")
}

// StdoutPipe returns a reader of the command's stdout. Use it once the command is started, and
// read it to its end or Close it: otherwise the command may block when it writes, and Wait with
// it. It can be read before, during and after Wait.
func (c *Command) StdoutPipe() (io.ReadCloser, error) {
	if c.Stdout != nil {
		return nil, failure("pipe", "stdout", invalid("the field Stdout is set already"))
	}
	return c.openPipe(1, "stdout")
}

// StderrPipe returns a reader of the command's stderr: see StdoutPipe.
func (c *Command) StderrPipe() (io.ReadCloser, error) {
	if c.Stderr != nil {
		return nil, failure("pipe", "stderr", invalid("the field Stderr is set already"))
	}
	return c.openPipe(2, "stderr")
}

func (c *Command) openPipe(i int, name string) (*pipe, error) {
	if c.call != nil || c.pipes[i] != nil {
		return nil, failure("pipe", name, invalid("call it once, before the command is started"))
	}
	c.pipes[i] = &pipe{name: name, out: i > 0}
	return c.pipes[i], nil
}
