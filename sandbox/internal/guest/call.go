//go:build linux

package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// errAborted ends the reads and writes of a call that the host gave up.
var errAborted = wire.Errorf(wire.CodeAborted, "canceled by the host")

// call is one request that is being answered.
type call struct {
	s       *server
	id      uint32
	stream  *wire.Stream // the bytes of a file; stdin and stdout of a command
	stderr  *wire.Stream // of a command; nil otherwise, as is control
	control *wire.Stream

	mu       sync.Mutex
	job      *job       // of a command, once it runs
	early    []int      // signals that came before it ran
	tty      *os.File   // its terminal
	size     *wire.Size // its size, if that came before it
	canceled bool
	quit     chan struct{} // closed by a cancel
}

func (c *call) reply(last []byte, v any, err error) {
	status, payload := wire.StatusOK, []byte(nil)
	if err != nil {
		status, v = wire.StatusError, wireError(err)
	}
	if v != nil {
		// Messages are plain structs, which always encode.
		payload, _ = json.Marshal(v)
	}
	payload = append([]byte{status}, payload...)

	c.s.mu.Lock()
	delete(c.s.calls, c.id)
	c.s.mu.Unlock()
	if last != nil && err == nil {
		frames := c.stream.AppendLast(nil, last)
		err = c.s.mux.Frames(wire.AppendFrame(frames, wire.KindReply, c.id, payload))
	} else {
		err = c.s.mux.Send(wire.KindReply, c.id, payload)
	}
	c.s.mux.Close(c.id)
	if c.stderr != nil {
		c.s.mux.Close(c.id + 1)
		c.s.mux.Close(c.id + 2)
	}
	if err != nil {
		// Nobody reads any more. The read loop will see the end, too.
		fmt.Fprintln(os.Stderr, "drydock guest: reply:", err)
	}
}

// cancel ends the call. A command ends by the ladder or, with now, at once; another call ends
// when it next reads or writes its stream, or waits.
func (c *call) cancel(now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.canceled {
		c.canceled = true
		close(c.quit)
	}
	switch {
	case c.job != nil:
		c.job.finish(ending{why: canceled, now: now})
	case c.stderr == nil:
		c.stream.Abort(errAborted)
	}
}

// aborted reports whether the host gave the call up.
func (c *call) aborted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.canceled
}

// stopped returns errAborted after the host gave the call up.
func (c *call) stopped() error {
	if c.aborted() {
		return errAborted
	}
	return nil
}

// terminal sets the terminal of the call's command.
func (c *call) terminal(tty *os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tty = tty
	if c.size != nil {
		_ = resize(tty, *c.size) // openTerminal has shown that it works
	}
}

// signal sends a signal to the call's command, or resizes its terminal. What comes before the
// command has started waits for that.
func (c *call) signal(m *wire.Signal) {
	const maxEarly = 64
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.Number <= 0:
	case c.job != nil:
		c.job.signal(m.Number)
	case len(c.early) < maxEarly:
		c.early = append(c.early, m.Number)
	}
	switch {
	case m.Size == nil:
	case c.tty != nil:
		// A terminal that was closed meanwhile needs no size.
		_ = resize(c.tty, *m.Size)
	default:
		c.size = m.Size
	}
}
