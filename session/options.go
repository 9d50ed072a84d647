package session

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// The defaults of Options.
const (
	DefaultIdleTimeout   = time.Hour
	DefaultSweepInterval = 5 * time.Minute
)

// Options of a Manager; nil is all defaults.
type Options struct {
	// Sandbox are the options of every session's sandbox, unless GetOptions change them. Its
	// Name must be empty, because every container needs a name of its own.
	Sandbox sandbox.Options
	// WorkspaceRoot is a host directory, made if it does not exist. Every session has a
	// directory in it, named after its id and mounted at its work dir. Default: none, the
	// files of a session end with it.
	WorkspaceRoot string
	// IdleTimeout is how long a session may be idle before it is released. Negative:
	// forever. Default: DefaultIdleTimeout.
	IdleTimeout time.Duration
	// SweepInterval is the time between two searches for idle sessions, and so the time by
	// which IdleTimeout can be exceeded. Default: DefaultSweepInterval, or IdleTimeout if
	// that is shorter.
	SweepInterval time.Duration
	// Max is the largest number of sessions at a time. Default: 0, no limit.
	Max int
	// OnRelease is called when a session that was open has ended: its container is gone,
	// and its workspace is still there, used by nothing until OnRelease returns. It is
	// called from several goroutines at once. It must not wait for Get or Release of that
	// id, nor for Shutdown or Close: they wait for it.
	OnRelease func(id string, reason Reason)
	// Logger logs the life of the sessions. Default: Sandbox.Logger.
	Logger *slog.Logger
}

// GetOptions are options of Get; nil is all defaults.
type GetOptions struct {
	// Runtime, Image and Snapshot name the source to open the session on, as in
	// sandbox.Options. Give at most one of them; it replaces the one of Options.Sandbox. If
	// the session is open on another source, the error is ErrMismatch. Default: the source
	// of the open session; else that of Options.Sandbox; else sandbox.DefaultRuntime.
	Runtime, Image, Snapshot string
	// Configure changes the options that the sandbox is opened with, such as its limits or
	// mounts. It is called once, and only if a sandbox is opened: it does not change an
	// open session, nor is it compared with how that was opened. It cannot change Runtime,
	// Image and Snapshot.
	Configure func(*sandbox.Options)
	// Wait is how long to wait for room if there is none, in line behind those who came
	// earlier. Negative: until the context ends. Default: 0, ErrFull at once.
	Wait time.Duration
}

// ReleaseOptions are options of Release; nil is all defaults.
type ReleaseOptions struct {
	// DeleteWorkspace deletes the session's workspace with all that is in it, also if no
	// session of that id is open. Default: it is kept.
	DeleteWorkspace bool
}

// Reason says why a session ended.
type Reason string

// The reasons.
const (
	// ReasonReleased: Release was called, or Close of its sandbox.
	ReasonReleased Reason = "released"
	// ReasonIdle: it was idle for Options.IdleTimeout.
	ReasonIdle Reason = "idle"
	// ReasonLost: its sandbox ended by itself (see sandbox.ErrLost).
	ReasonLost Reason = "lost"
	// ReasonShutdown: Shutdown or Close of the manager was called.
	ReasonShutdown Reason = "shutdown"
)

// config is Options with every default filled in and every value checked.
type config struct{ Options }

func (o *Options) resolve() (*config, error) {
	c := &config{Options: orZero(o)}
	switch {
	case c.Sandbox.Name != "":
		return nil, fmt.Errorf("Options.Sandbox has the container name %q, which only one session could have: "+
			"set names in GetOptions.Configure", c.Sandbox.Name)
	case c.SweepInterval < 0:
		return nil, fmt.Errorf("sweep interval %v is negative: to keep idle sessions, set IdleTimeout to -1", c.SweepInterval)
	case c.Max < 0:
		return nil, fmt.Errorf("max of %d sessions is negative: give 0 for no limit", c.Max)
	}
	if err := sourceOf(&c.Sandbox).check(); err != nil {
		return nil, fmt.Errorf("Options.Sandbox: %w", err)
	}
	// Once for all sessions: the default catalogue is read from files.
	images, err := c.Sandbox.Images.Resolve()
	if err != nil {
		return nil, err
	}
	c.Sandbox.Images = images
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	if c.SweepInterval == 0 {
		c.SweepInterval = DefaultSweepInterval
		if c.IdleTimeout > 0 {
			c.SweepInterval = min(c.SweepInterval, c.IdleTimeout)
		}
	}
	c.Logger = cmp.Or(c.Logger, c.Sandbox.Logger, slog.New(slog.DiscardHandler))
	if c.OnRelease == nil {
		c.OnRelease = func(string, Reason) {}
	}
	return c, nil
}

// source returns the source that a Get asks for, if any.
func (o *GetOptions) source() source { return source{o.Runtime, o.Image, o.Snapshot} }

// sandboxOptions returns the options to open the sandbox of a session with. A workspace, if
// there is one, is mounted at the work dir.
func (m *Manager) sandboxOptions(ctx context.Context, s source, configure func(*sandbox.Options), workspace string) (*sandbox.Options, error) {
	o := m.c.Sandbox
	o.Runtime, o.Image, o.Snapshot = s.runtime, s.image, s.snapshot
	o.Mounts = slices.Clone(o.Mounts)
	o.Env = maps.Clone(o.Env)
	if configure != nil {
		configure(&o)
		if changed := sourceOf(&o); changed != s {
			return nil, fmt.Errorf("GetOptions.Configure changed the source from %v to %v: "+
				"name it in GetOptions.Runtime, Image or Snapshot", s, changed)
		}
	}
	if workspace == "" {
		return &o, nil
	}
	var err error
	if o.WorkDir, err = m.workDir(ctx, &o); err != nil {
		return nil, err
	}
	o.Mounts = append(o.Mounts, sandbox.Mount{Source: workspace, Target: o.WorkDir})
	return &o, nil
}

// orZero returns *p, or the zero value if p is nil.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
