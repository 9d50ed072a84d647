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
	c      *config
	spaces *workspaces // nil without a workspace root
	open   opener
	// snapshotWorkDir is the function of that name; tests replace it.
	snapshotWorkDir func(context.Context, *sandbox.Options) (string, error)

	stop     chan struct{}  // closed by the first Shutdown
	over     chan struct{}  // closed when no goroutine of the manager runs any more
	running  sync.WaitGroup // the sweep, and a goroutine for each session
	shutdown sync.Once

	// mu guards what follows and the sessions' own fields. It is held for moments only, and
	// never while anything is opened, ended or waited for: so it is every session's lock,
	// and no session waits for another.
	mu       sync.Mutex
	closed   bool
	sessions map[string]*session
	taken    int        // the sessions that have room
	queue    []*session // those that wait for it, in the order they came
}

// box is what a manager needs of a *sandbox.Sandbox.
type box interface {
	Close() error
	Done() <-chan struct{}
	Err() error
	Alive() bool
	Idle() time.Duration
	Name() string
	Image() string
	User() (uid, gid int)
}

// opener opens a sandbox, and returns nil where there is an error.
type opener func(context.Context, *sandbox.Options) (box, error)

func openSandbox(ctx context.Context, o *sandbox.Options) (box, error) {
	sb, err := sandbox.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return sb, nil
}

// New returns a manager without sessions. It starts nothing on the engine. Shut it down, or
// close it, when it is no longer needed.
func New(opts *Options) (*Manager, error) { return newManager(opts, openSandbox) }

func newManager(opts *Options, open opener) (*Manager, error) {
	c, err := opts.resolve()
	if err != nil {
		return nil, &Error{Op: "new", Err: err}
	}
	m := &Manager{
		c:    c,
		open: open,

		snapshotWorkDir: snapshotWorkDir,

		stop:     make(chan struct{}),
		over:     make(chan struct{}),
		sessions: make(map[string]*session),
	}
	if c.WorkspaceRoot != "" {
		if m.spaces, err = openWorkspaces(c.WorkspaceRoot); err != nil {
			return nil, &Error{Op: "new", Err: err}
		}
	}
	if c.IdleTimeout > 0 {
		m.running.Go(m.sweeps)
	}
	return m, nil
}

// Get returns the sandbox of a session, and opens it where there is none that lives. All
// who ask for one id at the same time get one sandbox, or the error that its opening ended
// with. When ctx ends Get returns its cause; the opening goes on for as long as somebody
// else waits for it. The sandbox belongs to the session: use it, do not keep it, and leave
// closing it to the manager.
//
// The error is ErrInvalidID, ErrFull, ErrMismatch, ErrReleased, ErrClosed, the cause of ctx
// or one of package sandbox.
func (m *Manager) Get(ctx context.Context, id string, opts *GetOptions) (*sandbox.Sandbox, error) {
	b, err := m.get(ctx, id, opts)
	if err != nil {
		return nil, err
	}
	return b.(*sandbox.Sandbox), nil
}

func (m *Manager) get(ctx context.Context, id string, opts *GetOptions) (box, error) {
	b, err := m.obtain(ctx, id, opts)
	if err != nil {
		return nil, &Error{Op: "get", ID: id, Err: err}
	}
	return b, nil
}

func (m *Manager) obtain(ctx context.Context, id string, opts *GetOptions) (box, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	var o GetOptions
	if opts != nil {
		o = *opts
	}
	if err := o.source().check(); err != nil {
		return nil, err
	}
	var late <-chan struct{} // closed when the time to wait for room is over
	if o.Wait > 0 {
		limit, cancel := context.WithTimeout(context.Background(), o.Wait)
		defer cancel()
		late = limit.Done()
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
		case s.state == ending, s.state == live && !s.box.Alive():
			// What comes next has to wait until nothing is left of what was.
			m.mu.Unlock()
			select {
			case <-s.gone:
			case <-ctx.Done():
			}
			continue
		case !s.runs(&o):
			err := fmt.Errorf("%w: it has %v, and %v was asked for; release it first, or name none of them",
				ErrMismatch, s.source, o.source())
			m.mu.Unlock()
			return nil, err
		case s.state == live:
			s.used = time.Now()
			b := s.box
			m.mu.Unlock()
			return b, nil
		case s.state == queued && o.Wait == 0:
			err := m.full()
			m.mu.Unlock()
			return nil, err
		}
		s.waiting++
		m.mu.Unlock()
		if err := m.await(ctx, s, late); err != nil {
			return nil, err
		}
		// It is open, or was a moment ago: look again.
	}
}

// await waits until a session has been opened. The last to give up ends the opening.
func (m *Manager) await(ctx context.Context, s *session, late <-chan struct{}) error {
	for {
		var err error
		select {
		case <-s.ready:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-late:
			late = nil
			err = ErrFull
		}
		m.mu.Lock()
		switch {
		case err == nil:
			err = s.err
		case err == ErrFull && s.state != queued:
			m.mu.Unlock()
			continue // it has got room, and the limit is on that alone
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

// full is the error of a Get that there is no room for. m.mu is held.
func (m *Manager) full() error {
	return fmt.Errorf("%w: all %d are taken (Options.Max), and %d wait: release one, or set GetOptions.Wait",
		ErrFull, m.c.Max, len(m.queue))
}

// Release ends a session: its sandbox is closed, and whatever runs in it is ended. It
// returns when the container is gone and OnRelease has returned, or with the cause of ctx,
// while the release goes on. Where there is no session of that id there is nothing to do.
func (m *Manager) Release(ctx context.Context, id string, opts *ReleaseOptions) error {
	if err := m.release(ctx, id, opts != nil && opts.DeleteWorkspace); err != nil {
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
		again := false
		switch {
		case s == nil && (!discard || m.spaces == nil):
			m.mu.Unlock()
			return nil
		case s == nil && m.closed:
			m.mu.Unlock()
			return ErrClosed
		case s == nil:
			// It keeps others from opening the id meanwhile.
			s = m.discard(id)
		case s.state == ending:
			// Whether its workspace is deleted has been decided.
			again = discard
		default:
			s.discard = discard
			m.end(s, ReasonReleased, ErrReleased)
		}
		m.mu.Unlock()
		select {
		case <-s.gone:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !again {
			return s.endErr
		}
	}
}

// Shutdown ends all sessions at once and returns when they are gone, with the errors of all
// of them joined. From its beginning on Get fails with ErrClosed. When ctx ends first, its
// cause is the error of every session that is still there, and they go on ending. Further
// calls wait as well, and report what they saw ending.
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
			if m.spaces != nil {
				m.spaces.close()
			}
			close(m.over)
		}()
	})
	select {
	case <-m.over:
	case <-ctx.Done():
	}
	var errs []error
	for _, s := range all {
		err := context.Cause(ctx)
		select {
		case <-s.gone:
			err = s.endErr
		default:
		}
		if err != nil {
			errs = append(errs, &Error{Op: "shutdown", ID: s.id, Err: err})
		}
	}
	return errors.Join(errs...)
}

// Close is Shutdown without an end to its patience, for defer.
func (m *Manager) Close() error { return m.Shutdown(context.Background()) }

// Count returns how many sessions there are, as Max counts them: those that are open, and
// those that are being opened or ended.
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
	// LastUsed is the later of the last Get and the end of the last operation; now, where
	// one is under way.
	LastUsed time.Time
}

// All returns the sessions that are open, by id. It is a picture of the moment it is called;
// sessions may come and go while it is looked at. It uses none of them.
func (m *Manager) All() iter.Seq2[string, Info] {
	m.mu.Lock()
	var all []Info
	now := time.Now()
	for _, s := range m.sessions {
		if s.state == live && s.box.Alive() {
			all = append(all, Info{
				ID: s.id, Runtime: s.source.runtime, Image: s.box.Image(), Container: s.box.Name(),
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
