//go:build linux

package guest

import (
	"os"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// exec runs a command. It returns when the first process has ended and the output that was
// written by then has been sent.
func (c *call) exec(m *wire.Exec) (any, error) {
	p, err := c.s.launch(m, c.startJob)
	if err != nil {
		return nil, err
	}
	if f := p.stdio; f.terminal != nil {
		c.terminal(f.terminal)
		if m.Stdin {
			go feedTerminal(f.terminal, c.stream)
		}
	} else if f.stdin != nil {
		go feed(f.stdin, c.stream)
	}
	if p.stdio.control != nil {
		defer c.join(p.stdio.control)()
	}
	to := func(s *wire.Stream) *hostStream { return &hostStream{s, c.s.splicer, c.s.jobs.end} }
	p.pump(to(c.stream), to(c.stderr))
	return p.end(), nil
}

// join connects the control socket with its stream. leave ends that.
func (c *call) join(control *os.File) (leave func()) {
	go func() {
		if _, err := c.control.WriteTo(control); err != nil {
			c.control.CloseRead()
		}
		if raw, err := control.SyscallConn(); err == nil {
			// On a closed socket there is nothing left to shut.
			_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
		}
	}()
	p := newPump(control, c.control, nil, false)
	return func() {
		p.leaderGone()
		select {
		case <-p.drained:
		case <-time.After(unreadGrace):
			c.control.Abort(errAborted)
			<-p.drained
		}
	}
}

// startJob starts the call's job, unless the call was canceled before. It is a starter.
func (c *call) startJob(path string, argv []string, attr *syscall.ProcAttr) (*job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.canceled {
		return nil, errAborted
	}
	j, err := c.s.jobs.start(path, argv, attr)
	if err != nil {
		return nil, err
	}
	c.job = j
	for _, number := range c.early {
		j.signal(number)
	}
	return j, nil
}

// feed copies the host's bytes to a command's stdin until either end closes.
func feed(stdin *os.File, s *wire.Stream) {
	if _, err := s.WriteTo(stdin); err != nil {
		s.CloseRead()
	}
	stdin.Close()
}

// feedTerminal is feed for a terminal, which has no end to close.
func feedTerminal(terminal *os.File, s *wire.Stream) {
	if _, err := s.WriteTo(terminal); err != nil {
		s.CloseRead()
		return
	}
	// If the terminal is gone, so is the reader of the end.
	_, _ = terminal.WriteString(endOfInput)
}
