package session

import (
	"context"
	"errors"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// state is where a session is in its life. It only ever goes on to a later one.
type state int

const (
	queued  state = iota // it waits for room
	opening              // it has room, and its sandbox is being opened
	live                 // its sandbox was opened and nobody has ended it
	ending               // until it is gone
)

// session is one life of an id: one sandbox, from the first Get to when nothing is left of
// it. It is in Manager.sessions for all of that time. One goroutine, run, opens the sandbox,
// waits for its end and takes it down; others tell it to by end.
type session struct {
	id     string
	source source

	admitted chan struct{} // closed when it has room
	ready    chan struct{} // closed when it is live, or failed and gone
	gone     chan struct{} // closed when nothing is left of it but its workspace

	cancel context.CancelCauseFunc // ends run

	// Guarded by Manager.mu.
	state   state
	waiting int       // the Gets that wait for it to open
	used    time.Time // the last Get
	why     Reason
	discard bool // delete the workspace

	// Set before it is live.
	box       box
	workspace string
	opened    time.Time
	// Set before ready is closed.
	err error // why it was not opened
	// Set before gone is closed.
	endErr error // what went wrong when it ended
}

// runs reports whether a session is what a Get asks for.
func (s *session) runs(o *GetOptions) bool {
	asked := o.source()
	return asked == source{} || asked == s.source
}

// idle is for how long nobody has used a live session. Manager.mu is held.
func (s *session) idle(now time.Time) time.Duration {
	return max(0, min(now.Sub(s.used), s.box.Idle()))
}

// begin makes a session for an id that has none. m.mu is held.
func (m *Manager) begin(ctx context.Context, id string, o *GetOptions) *session {
	s := newSession(id)
	s.source = m.c.source(o)
	// Not the first caller's to end: others may come to wait for it, too.
	ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	m.sessions[id] = s
	m.queue = append(m.queue, s)
	m.admit()
	m.running.Go(func() { m.run(ctx, s, o.Configure) })
	return s
}

func newSession(id string) *session {
	return &session{
		id:       id,
		admitted: make(chan struct{}),
		ready:    make(chan struct{}),
		gone:     make(chan struct{}),
	}
}

// admit gives what room there is to those who wait for it. m.mu is held.
func (m *Manager) admit() {
	for len(m.queue) > 0 && m.room() {
		s := m.queue[0]
		m.queue = m.queue[1:]
		m.taken++
		s.state = opening
		close(s.admitted)
	}
}

// end has a session's goroutine end it, whatever it is at; the first reason counts. cause
// is for those who wait for it to open. m.mu is held.
func (m *Manager) end(s *session, why Reason, cause error) {
	if s.state == ending {
		return
	}
	for i, q := range m.queue {
		if q == s {
			m.queue = append(m.queue[:i:i], m.queue[i+1:]...)
			break
		}
	}
	s.state = ending
	s.why = why
	s.cancel(cause)
}

// run is the life of a session.
func (m *Manager) run(ctx context.Context, s *session, configure func(*sandbox.Options)) {
	defer s.cancel(nil)
	select {
	case <-s.admitted:
	case <-ctx.Done():
	}
	begun := time.Now()
	b, made, err := m.start(ctx, s, configure)

	m.mu.Lock()
	if err == nil && s.state == ending {
		err = context.Cause(ctx)
	}
	s.err = err
	if err == nil {
		s.state = live
		s.box = b
		if m.spaces != nil {
			s.workspace = m.spaces.path(s.id)
		}
		s.opened = time.Now()
		s.used = s.opened
	} else {
		s.state = ending
	}
	m.mu.Unlock()

	if err != nil {
		// The workspace last: what runs there has to be gone.
		if b != nil {
			s.endErr = b.Close()
		}
		if made {
			m.spaces.undo(s.id)
		}
		m.c.Logger.WarnContext(ctx, "session not opened", "session", s.id, "error", errors.Join(err, s.endErr))
		m.finish(s)
		close(s.ready)
		return
	}
	close(s.ready)
	m.c.Logger.InfoContext(ctx, "session opened", "session", s.id, "container", b.Name(),
		"image", b.Image(), "workspace", s.workspace, "took", s.opened.Sub(begun))

	select {
	case <-ctx.Done():
	case <-b.Done():
	}
	m.mu.Lock()
	if s.state == live {
		s.state = ending
		s.why = ReasonLost
		if errors.Is(b.Err(), sandbox.ErrClosed) {
			s.why = ReasonReleased
		}
	}
	why, discard := s.why, s.discard
	m.mu.Unlock()

	// Of one that is lost this is what remains to be cleaned up.
	s.endErr = b.Close()
	m.c.OnRelease(s.id, why)
	if discard && m.spaces != nil {
		s.endErr = errors.Join(s.endErr, m.spaces.remove(s.id))
	}
	attrs := []any{"session", s.id, "why", why, "container", b.Name(), "lived", time.Since(s.opened)}
	if s.endErr != nil {
		attrs = append(attrs, "error", s.endErr)
	}
	if why == ReasonLost {
		m.c.Logger.WarnContext(ctx, "session ended", append(attrs, "reason", b.Err())...)
	} else {
		m.c.Logger.InfoContext(ctx, "session ended", attrs...)
	}
	m.finish(s)
}

// start opens the sandbox of a session on its workspace, and reports whether it made that.
func (m *Manager) start(ctx context.Context, s *session, configure func(*sandbox.Options)) (b box, made bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, false, err
	}
	workspace := ""
	if m.spaces != nil {
		if made, err = m.spaces.prepare(s.id); err != nil {
			return nil, false, err
		}
		workspace = m.spaces.path(s.id)
	}
	o, err := m.sandboxOptions(ctx, s.source, configure, workspace)
	if err != nil {
		return nil, made, err
	}
	b, err = m.open(ctx, o)
	return b, made, err
}

// discard deletes the workspace of an id that has no session; the session it returns keeps
// the id meanwhile. m.mu is held.
func (m *Manager) discard(id string) *session {
	s := newSession(id)
	s.state = ending
	m.sessions[id] = s
	m.running.Go(func() {
		s.endErr = m.spaces.remove(id)
		m.finish(s)
	})
	return s
}

// finish forgets a session that is gone and gives its room to the next.
func (m *Manager) finish(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, s.id)
	select {
	case <-s.admitted:
		m.taken--
	default:
	}
	m.admit()
	close(s.gone)
}

// sweeps releases idle sessions, every Options.SweepInterval.
func (m *Manager) sweeps() {
	ticker := time.NewTicker(m.c.SweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.sweep()
		case <-m.stop:
			return
		}
	}
}

// sweep finds a session idle and ends it under one lock with Get, so that no Get returns
// what the sweep has chosen.
func (m *Manager) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, s := range m.sessions {
		if s.state == live && s.idle(now) >= m.c.IdleTimeout {
			m.end(s, ReasonIdle, nil)
		}
	}
}
