//go:build linux

package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// errAborted ends the reads and writes of a call that the host gave up.
var errAborted = wire.Errorf(wire.CodeAborted, "canceled by the host")

// guest is the state that lasts as long as the sandbox.
type guest struct {
	jobs *jobs
	background
	dir string   // where relative paths begin
	env []string // of every command

	beside  bool // another guest is PID 1
	started time.Time
	editing sync.Mutex // one edit reads and writes at a time

	hostMu sync.Mutex
	host   *server // the newest that was greeted
}

// server answers one host.
type server struct {
	*guest
	mux     *wire.Mux
	splicer *splicer // to the pipe that mux writes to, or nil

	mu    sync.Mutex
	calls map[uint32]*call
}

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

// errBye says that the host wants the sandbox to end.
var errBye = errors.New("the host said bye")

// newGuest protects the process and starts the reaper.
func newGuest() (*guest, error) {
	jobs, err := startJobs()
	if err != nil {
		return nil, err
	}
	g := &guest{jobs: jobs, started: time.Now()}
	jobs.end = g.end
	return g, nil
}

// end tells the host why the sandbox ends, and ends it. It does not return.
func (g *guest) end(reason string) {
	fmt.Fprintln(os.Stderr, "drydock guest:", reason)
	g.hostMu.Lock()
	host := g.host
	g.hostMu.Unlock()
	said := make(chan struct{})
	go func() {
		defer close(said)
		if host != nil {
			_ = host.mux.Send(wire.KindBye, 0, []byte(reason))
		}
	}()
	select {
	case <-said:
	case <-time.After(time.Second): // it does not read
	}
	os.Exit(1)
}

// Serve answers the host until r ends. That is the end of the sandbox: when PID 1 returns, the
// kernel ends every other process of the container.
func Serve(r io.Reader, w io.Writer) error {
	g, err := newGuest()
	if err != nil {
		return err
	}
	defer g.jobs.endCanary()
	if err := g.serve(r, w, func() {}); err != errBye {
		return err
	}
	return nil
}

// serve answers one host until r ends or the host says bye. It calls greeted after the
// handshake.
func (g *guest) serve(r io.Reader, w io.Writer, greeted func()) error {
	s := &server{guest: g, mux: wire.NewMux(w), splicer: newSplicer(w), calls: make(map[uint32]*call)}
	frames := wire.NewReader(r)
	if err := s.greet(frames); err != nil {
		return err
	}
	g.hostMu.Lock()
	g.host = s
	g.hostMu.Unlock()
	greeted()
	defer s.abandon()
	for {
		h, err := frames.Next()
		if err == nil {
			err = s.handle(h, frames)
		}
		if err != nil {
			s.mux.Fail(err)
			if err == io.EOF {
				err = nil
			}
			return err
		}
	}
}

func (s *server) greet(r *wire.Reader) error {
	h, err := r.Next()
	if err != nil {
		return fmt.Errorf("no hello from the host: %w", err)
	}
	payload, err := r.Payload(h)
	if err != nil {
		return err
	}
	var hello wire.HostHello
	if h.Kind != wire.KindHello {
		return errors.New("the host's first frame is no hello")
	}
	if err := json.Unmarshal(payload, &hello); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if !hello.Again {
		s.dir, s.jobs.procs = string(hello.Dir), hello.Procs
		// podman sets TERM without a terminal. It says nothing about those of commands.
		os.Unsetenv("TERM")
		s.env = mergeEnv(os.Environ(), hello.Env)
		if s.beside {
			// PID 1 has written the account files.
		} else if err := writeAccounts(os.Getuid(), os.Getgid(), envValue(s.env, "HOME")); err != nil {
			return err
		}
	}
	answer, err := json.Marshal(wire.GuestHello{
		Major: wire.Major, Minor: wire.Minor, Nonce: hello.Nonce,
		UID: os.Getuid(), GID: os.Getgid(), Dir: []byte(s.dir),
	})
	if err != nil {
		return err
	}
	return s.mux.Send(wire.KindHello, 0, answer)
}

// handle takes one frame. It must never write to the host: the host's read loop grants credit
// itself, and two ends that both wait for room in a pipe wait for ever.
func (s *server) handle(h wire.Header, r *wire.Reader) error {
	switch h.Kind {
	case wire.KindData, wire.KindEnd, wire.KindCredit, wire.KindReset:
		return s.mux.Deliver(h, r)
	}
	payload, err := r.Payload(h)
	if err != nil {
		return err
	}
	switch h.Kind {
	case wire.KindCall:
		if len(payload) == 0 {
			return errors.New("empty call")
		}
		if s.taken(h.Stream) {
			return fmt.Errorf("call %d has the number of a call under way", h.Stream)
		}
		s.start(h.Stream, wire.Op(payload[0]), payload[1:])
	case wire.KindCancel:
		var m wire.Cancel
		if err := json.Unmarshal(payload, &m); err != nil {
			return err
		}
		if c := s.find(h.Stream); c != nil {
			c.cancel(m.Now)
		}
	case wire.KindSignal:
		var m wire.Signal
		if err := json.Unmarshal(payload, &m); err != nil {
			return err
		}
		if c := s.find(h.Stream); c != nil {
			c.signal(&m)
		}
	case wire.KindPing:
		go s.mux.Send(wire.KindPong, 0, payload)
	case wire.KindBye:
		return errBye
	default:
		return fmt.Errorf("the host sent a frame of kind %d", h.Kind)
	}
	return nil
}

// abandon ends the calls of a host that has gone: nobody will hear their results. Background
// jobs go on.
func (s *server) abandon() {
	s.mu.Lock()
	calls := slices.Collect(maps.Values(s.calls))
	s.mu.Unlock()
	for _, c := range calls {
		c.cancel(false)
	}
}

func (s *server) find(id uint32) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[id]
}

// taken reports whether a call of that number would share a stream number with another call.
// Nothing would then end the stream that came first.
func (s *server) taken(id uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := id - wire.CallStreams + 1; n != id+wire.CallStreams; n++ {
		if s.calls[n] != nil {
			return true
		}
	}
	return false
}

// start opens the call's streams, for the bytes that follow the request, and answers it in a
// goroutine.
func (s *server) start(id uint32, op wire.Op, args []byte) {
	c := &call{s: s, id: id, stream: s.mux.Open(id, nil), quit: make(chan struct{})}
	if op == wire.OpExec {
		c.stderr = s.mux.Open(id+1, nil)
		c.control = s.mux.Open(id+2, nil)
	}
	s.mu.Lock()
	s.calls[id] = c
	s.mu.Unlock()
	go func() {
		last, v, err := c.do(op, args)
		c.reply(last, v, err)
	}()
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
