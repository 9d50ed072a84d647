package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// state is a stage of a session's life. It only ever changes to a later one.
type state int

const (
	queued  state = iota // it waits for room
	opening              // it has room, and its sandbox is being opened
	live                 // its sandbox was opened and nobody has ended it
	ending               // it was ended or has failed, and something is left of it
)

// session is one life of an id: one sandbox, from the first Get until nothing is left of
// it. It is in Manager.sessions for all of that time. One goroutine, run, opens the sandbox,
// waits for its end and takes it down; others have it do so by calling end.
type session struct {
	id     string
	source source

	admitted chan struct{} // closed when it has room
	ready    chan struct{} // closed when it is live, or has failed and nothing is left of it
	done     chan struct{} // closed when nothing is left of it, except its workspace

	cancel context.CancelCauseFunc // ends run

	// Guarded by Manager.mu.
	state   state
	waiting int       // how many Gets wait for it to open
	used    time.Time // the last Get
	reason  Reason
	discard bool // delete the workspace

	// Set before it is live.
	sb        instance
	workspace string
	opened    time.Time
	openedIn  time.Duration // from when it had room
	// Set before ready is closed.
	err error // why it was not opened
	// Set before done is closed.
	endErr error // why it did not end well
}

// satisfies reports whether a session is open on the source that a Get asks for, if any.
func (s *session) satisfies(o *GetOptions) bool {
	asked := o.source()
	return asked == source{} || asked == s.source
}

// idle returns how long nobody has used a live session. Manager.mu is held.
func (s *session) idle(now time.Time) time.Duration {
	return max(0, min(now.Sub(s.used), s.sb.Idle()))
}

// begin makes a session for an id that has none. m.mu is held.
func (m *Manager) begin(ctx context.Context, id string, o *GetOptions) *session {
	s := newSession(id)
	s.source = m.c.source(o)
	// The first caller's ctx does not end it: others may come to wait for it, too.
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
		done:     make(chan struct{}),
	}
}

// admit gives room to the first in line, while there is some. m.mu is held.
func (m *Manager) admit() {
	for len(m.queue) > 0 && m.room() {
		s := m.queue[0]
		m.queue = m.queue[1:]
		m.taken++
		s.state = opening
		close(s.admitted)
	}
}

// end has a session's goroutine end it, in whatever state it is; the first reason counts.
// Those who wait for it to open get cause. m.mu is held.
func (m *Manager) end(s *session, reason Reason, cause error) {
	if s.state == ending {
		return
	}
	m.queue = slices.DeleteFunc(m.queue, func(q *session) bool { return q == s })
	s.state = ending
	s.reason = reason
	s.cancel(cause)
}

// run is the life of a session.
func (m *Manager) run(ctx context.Context, s *session, configure func(*sandbox.Options)) {
	defer s.cancel(nil)
	select {
	case <-s.admitted:
	case <-ctx.Done():
	}
	if err := m.launch(ctx, s, configure); err != nil {
		m.c.Logger.WarnContext(ctx, "session not opened", "session", s.id, "error", errors.Join(err, s.endErr))
		m.finish(s)
		close(s.ready)
		return
	}
	close(s.ready)
	m.live(ctx, s)
	m.takeDown(ctx, s)
	m.finish(s)
}

// launch opens a session, and makes it live unless it was ended meanwhile. After an error
// nothing is left of it but s.endErr.
func (m *Manager) launch(ctx context.Context, s *session, configure func(*sandbox.Options)) error {
	begun := time.Now()
	sb, made, err := m.open(ctx, s, configure)

	m.mu.Lock()
	if err == nil && s.state == ending {
		err = context.Cause(ctx)
	}
	s.err = err
	if err == nil {
		s.state = live
		s.sb = sb
		if m.workspaces != nil {
			s.workspace = m.workspaces.path(s.id)
		}
		s.opened = time.Now()
		s.openedIn = s.opened.Sub(begun)
		s.used = s.opened
	} else {
		s.state = ending
	}
	discard := s.discard
	m.mu.Unlock()

	if err == nil {
		return nil
	}
	// The workspace last: nothing may run there any more.
	if sb != nil {
		s.endErr = sb.Close()
	}
	switch {
	case discard && m.workspaces != nil:
		s.endErr = errors.Join(s.endErr, m.workspaces.remove(s.id))
	case made:
		m.workspaces.undo(s.id)
	}
	return err
}

// live waits until a session is ended, or its sandbox ends by itself.
func (m *Manager) live(ctx context.Context, s *session) {
	m.c.Logger.InfoContext(ctx, "session opened", "session", s.id, "container", s.sb.Name(),
		"image", s.sb.Image(), "workspace", s.workspace, "took", s.openedIn)
	select {
	case <-ctx.Done():
	case <-s.sb.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.state == live {
		s.state = ending
		s.reason = ReasonLost
		if errors.Is(s.sb.Err(), sandbox.ErrClosed) {
			s.reason = ReasonReleased
		}
	}
}

// takeDown closes the sandbox of a session that was live, tells OnRelease, and deletes the
// workspace if that was asked for.
func (m *Manager) takeDown(ctx context.Context, s *session) {
	m.mu.Lock()
	reason, discard := s.reason, s.discard
	m.mu.Unlock()

	// Close also cleans up after a sandbox that was lost.
	s.endErr = s.sb.Close()
	m.c.OnRelease(s.id, reason)
	if discard && m.workspaces != nil {
		s.endErr = errors.Join(s.endErr, m.workspaces.remove(s.id))
	}
	attrs := []any{"session", s.id, "reason", reason, "container", s.sb.Name(), "lived", time.Since(s.opened)}
	if s.endErr != nil {
		attrs = append(attrs, "error", s.endErr)
	}
	level := slog.LevelInfo
	if reason == ReasonLost {
		level = slog.LevelWarn
		attrs = append(attrs, "cause", s.sb.Err())
	}
	m.c.Logger.Log(ctx, level, "session ended", attrs...)
}

// open opens the sandbox of a session on its workspace. made reports whether that was made.
func (m *Manager) open(ctx context.Context, s *session, configure func(*sandbox.Options)) (sb instance, made bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, false, err
	}
	workspace := ""
	if m.workspaces != nil {
		if made, err = m.workspaces.prepare(s.id); err != nil {
			return nil, false, err
		}
		workspace = m.workspaces.path(s.id)
	}
	o, err := m.sandboxOptions(ctx, s.source, configure, workspace)
	if err != nil {
		return nil, made, err
	}
	sb, err = m.opener(ctx, o)
	return sb, made, err
}

// discard deletes the workspace of an id that has no session. The session that it returns
// holds the id until that is done. m.mu is held.
func (m *Manager) discard(id string) *session {
	s := newSession(id)
	s.state = ending
	m.sessions[id] = s
	m.running.Go(func() {
		s.endErr = m.workspaces.remove(id)
		m.finish(s)
	})
	return s
}

// finish forgets a session that has ended and gives its room to the next.
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
	close(s.done)
}

// sweepUntilStopped releases idle sessions, every Options.SweepInterval.
func (m *Manager) sweepUntilStopped() {
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

// sweep releases the sessions that are idle. It holds the lock of Get from when it finds
// one idle until that is ending, so that no Get returns it.
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
