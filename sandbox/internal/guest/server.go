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

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// server answers one host.
type server struct {
	*guest
	mux     *wire.Mux
	splicer *splicer // to the pipe that mux writes to, or nil

	mu    sync.Mutex
	calls map[uint32]*call
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
