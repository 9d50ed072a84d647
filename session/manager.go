package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// Manager keeps the sandboxes of many sessions. It is safe for concurrent use.
type Manager struct {
	c          *config
	workspaces *workspaces // nil without a workspace root

	// These ask the engine. Tests replace them.
	opener          opener
	snapshotWorkDir func(context.Context, *sandbox.Options) (string, error)

	stop     chan struct{}  // closed by the first Shutdown
	done     chan struct{}  // closed when no goroutine of the manager runs any more
	running  sync.WaitGroup // the sweep, and a goroutine for each session
	shutdown sync.Once

	// mu guards the fields below and the sessions' own. It is held for moments only, and
	// never while anything is opened, ended or waited for. So it can be the lock of all
	// sessions, and no session waits for another.
	mu       sync.Mutex
	closed   bool
	sessions map[string]*session
	taken    int        // how many sessions have room
	queue    []*session // the sessions that wait for room, in the order they came
}

// instance is what a manager needs of a *sandbox.Sandbox.
type instance interface {
	Close() error
	Done() <-chan struct{}
	Err() error
	Alive() bool
	Idle() time.Duration
	Name() string
	Image() string
}

// opener opens a sandbox. With an error it returns nil.
type opener func(context.Context, *sandbox.Options) (instance, error)

func openSandbox(ctx context.Context, o *sandbox.Options) (instance, error) {
	sb, err := sandbox.Open(ctx, o)
	if err != nil {
		return nil, err // and no instance that holds a nil *Sandbox
	}
	return sb, nil
}

// New returns a manager without sessions. It starts nothing on the engine. Call Shutdown or
// Close when it is no longer needed.
func New(opts *Options) (*Manager, error) { return newManager(opts, openSandbox) }

func newManager(opts *Options, open opener) (*Manager, error) {
	c, err := opts.resolve()
	if err != nil {
		return nil, &Error{Op: "new", Err: err}
	}
	m := &Manager{
		c:               c,
		opener:          open,
		snapshotWorkDir: snapshotWorkDir,
		stop:            make(chan struct{}),
		done:            make(chan struct{}),
		sessions:        make(map[string]*session),
	}
	if c.WorkspaceRoot != "" {
		if m.workspaces, err = openWorkspaces(c.WorkspaceRoot); err != nil {
			return nil, &Error{Op: "new", Err: err}
		}
	}
	if c.IdleTimeout > 0 {
		m.running.Go(m.sweepUntilStopped)
	}
	return m, nil
}

// Get returns the sandbox of a session, and opens one if none is alive. All who ask for one
// id at the same time get one sandbox, or the error of its opening. When ctx ends, Get
// returns its cause; the opening goes on as long as somebody else waits for it. The sandbox
// belongs to the session: use it, do not keep it, and leave closing it to the manager.
//
// The error is ErrInvalidID, ErrFull, ErrMismatch, ErrReleased, ErrClosed, the cause of ctx
// or one of package sandbox.
func (m *Manager) Get(ctx context.Context, id string, opts *GetOptions) (*sandbox.Sandbox, error) {
	sb, err := m.get(ctx, id, opts)
	if err != nil {
		return nil, err
	}
	return sb.(*sandbox.Sandbox), nil // only tests have other instances, and they call get
}

func (m *Manager) get(ctx context.Context, id string, opts *GetOptions) (instance, error) {
	sb, err := m.obtain(ctx, id, opts)
	if err != nil {
		return nil, &Error{Op: "get", ID: id, Err: err}
	}
	return sb, nil
}

func (m *Manager) obtain(ctx context.Context, id string, opts *GetOptions) (instance, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	o := orZero(opts)
	if err := o.source().check(); err != nil {
		return nil, err
	}
	var deadline <-chan struct{} // closed when Wait has passed
	if o.Wait > 0 {
		wait, cancel := context.WithTimeout(context.Background(), o.Wait)
		defer cancel()
		deadline = wait.Done()
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		m.mu.Lock()
		s := m.sessions[id]
		switch {
		case m.closed:
			m.mu.Unlock()
			return nil, ErrClosed
		case s == nil:
			if !m.room() && o.Wait == 0 {
				err := m.full()
				m.mu.Unlock()
				return nil, err
			}
			s = m.begin(ctx, id, &o)
		case s.state == ending, s.state == live && !s.sb.Alive():
			// The next session of this id begins when nothing is left of this one.
			m.mu.Unlock()
			select {
			case <-s.done:
			case <-ctx.Done():
			}
			continue
		case !s.satisfies(&o):
			err := fmt.Errorf("%w: it has %v, and %v was asked for; release it first, or name none of them",
				ErrMismatch, s.source, o.source())
			m.mu.Unlock()
			return nil, err
		case s.state == live:
			s.used = time.Now()
			sb := s.sb
			m.mu.Unlock()
			return sb, nil
		case s.state == queued && o.Wait == 0:
			err := m.full()
			m.mu.Unlock()
			return nil, err
		}
		s.waiting++
		m.mu.Unlock()
		if err := m.await(ctx, s, deadline); err != nil {
			return nil, err
		}
		// It is open, or was a moment ago: look again.
	}
}

// await waits until a session has been opened, until ctx ends, or until the deadline if it
// still waits for room then. The last to give up ends the opening.
func (m *Manager) await(ctx context.Context, s *session, deadline <-chan struct{}) error {
	for {
		var err error
		select {
		case <-s.ready:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-deadline:
			deadline = nil
			err = ErrFull
		}
		m.mu.Lock()
		switch {
		case err == nil:
			err = s.err
		case err == ErrFull && s.state != queued:
			m.mu.Unlock()
			continue // it has room by now, and Wait bounds nothing else
		case err == ErrFull:
			err = m.full()
		}
		if s.waiting--; s.waiting == 0 && s.state < live {
			m.end(s, "", err)
		}
		m.mu.Unlock()
		return err
	}
}

// room reports whether another session can be opened. m.mu is held.
func (m *Manager) room() bool { return m.c.Max == 0 || m.taken < m.c.Max }

// full returns the error of a Get that finds no room. m.mu is held.
func (m *Manager) full() error {
	return fmt.Errorf("%w: all %d are taken (Options.Max), and %d wait: release one, or set GetOptions.Wait",
		ErrFull, m.c.Max, len(m.queue))
}

// Release ends a session: it closes its sandbox, which ends all that runs in it. It returns
// when the container is gone and OnRelease has returned. If ctx ends first it returns the
// cause, and the release goes on. It is no error if there is no session of that id.
func (m *Manager) Release(ctx context.Context, id string, opts *ReleaseOptions) error {
	if err := m.release(ctx, id, orZero(opts).DeleteWorkspace); err != nil {
		return &Error{Op: "release", ID: id, Err: err}
	}
	return nil
}

func (m *Manager) release(ctx context.Context, id string, discard bool) error {
	if err := checkID(id); err != nil {
		return err
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		m.mu.Lock()
		s := m.sessions[id]
		tryAgain := false
		switch {
		case s == nil && (!discard || m.workspaces == nil):
			m.mu.Unlock()
			return nil
		case s == nil && m.closed:
			m.mu.Unlock()
			return ErrClosed
		case s == nil:
			// While it is there nobody opens the id.
			s = m.discard(id)
		case s.state == ending:
			// That release has decided about its workspace.
			tryAgain = discard
		default:
			s.discard = discard
			m.end(s, ReasonReleased, ErrReleased)
		}
		m.mu.Unlock()
		select {
		case <-s.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !tryAgain {
			return s.endErr
		}
	}
}

// Shutdown ends all sessions at once and returns when they are gone, with their errors
// joined. As soon as it is called, Get fails with ErrClosed. If ctx ends first, its cause is
// the error of each session that is not gone yet; those go on ending. A further call waits
// as well, and returns the errors of the sessions that were left when it was made.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	var all []*session
	for _, s := range m.sessions {
		all = append(all, s)
		m.end(s, ReasonShutdown, ErrClosed)
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b *session) int { return strings.Compare(a.id, b.id) })
	m.shutdown.Do(func() {
		close(m.stop)
		go func() {
			m.running.Wait()
			if m.workspaces != nil {
				m.workspaces.close()
			}
			close(m.done)
		}()
	})
	select {
	case <-m.done:
	case <-ctx.Done():
	}
	var errs []error
	for _, s := range all {
		err := context.Cause(ctx)
		select {
		case <-s.done:
			err = s.endErr
		default:
		}
		if err != nil {
			errs = append(errs, &Error{Op: "shutdown", ID: s.id, Err: err})
		}
	}
	return errors.Join(errs...)
}

// Close is Shutdown without a deadline, for defer.
func (m *Manager) Close() error { return m.Shutdown(context.Background()) }

// Count returns the number of sessions as Max counts them: those that are open, being
// opened or being ended.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

// Info describes an open session.
type Info struct {
	ID string
	// Runtime is the name of its runtime, or empty if it was opened on an image or a snapshot.
	Runtime string
	// Image is the reference of the image that its container runs; that of a snapshot ends
	// with the snapshot's name.
	Image string
	// Container is the name of its container.
	Container string
	// Workspace is the host directory that is its work dir, or empty.
	Workspace string
	// Opened is when it was opened.
	Opened time.Time
	// LastUsed is the later of the last Get and the end of the last operation; it is now
	// while an operation is under way.
	LastUsed time.Time
}

// All returns the sessions that are open when it is called, sorted by id. Some may have
// ended by the time the loop comes to them. It does not count as use of a session.
func (m *Manager) All() iter.Seq2[string, Info] {
	m.mu.Lock()
	var all []Info
	now := time.Now()
	for _, s := range m.sessions {
		if s.state == live && s.sb.Alive() {
			all = append(all, Info{
				ID: s.id, Runtime: s.source.runtime, Image: s.sb.Image(), Container: s.sb.Name(),
				Workspace: s.workspace, Opened: s.opened, LastUsed: now.Add(-s.idle(now)),
			})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.ID, b.ID) })
	return func(yield func(string, Info) bool) {
		for _, info := range all {
			if !yield(info.ID, info) {
				return
			}
		}
	}
}
