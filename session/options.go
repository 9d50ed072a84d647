package session

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
)

// The defaults of Options.
const (
	DefaultIdleTimeout   = time.Hour
	DefaultSweepInterval = 5 * time.Minute
)

// Options say how a Manager keeps its sessions; nil is all defaults.
type Options struct {
	// Sandbox is what every session is opened with, unless GetOptions say otherwise. Its
	// Name must be empty, because every container needs one of its own.
	Sandbox sandbox.Options
	// WorkspaceRoot is a host directory, made where it does not exist, in which every
	// session has a directory named after its id, mounted at its work dir. Default: none;
	// the files of a session end with it.
	WorkspaceRoot string
	// IdleTimeout is how long a session is idle before it is released. Negative: forever.
	// Default: DefaultIdleTimeout.
	IdleTimeout time.Duration
	// SweepInterval is how often idle sessions are looked for, and so by how much
	// IdleTimeout can be exceeded. Default: DefaultSweepInterval, or IdleTimeout where that
	// is less.
	SweepInterval time.Duration
	// Max is how many sessions there are at once. Default: 0, as many as are asked for.
	Max int
	// OnRelease is told of every session that was open, when it has ended: its container is
	// gone, its workspace still there and at rest until OnRelease returns. It is called from
	// several goroutines at once. It must not wait for Get or Release of that id, nor for
	// Shutdown or Close: they wait for it.
	OnRelease func(id string, why Reason)
	// Logger is told of the life of the sessions. Default: Sandbox.Logger.
	Logger *slog.Logger
}

// GetOptions say what Get returns; nil is all defaults.
type GetOptions struct {
	// Runtime is the runtime to open the session with, and Image the image: give one of
	// them. A session that is open with another is ErrMismatch. Default: what is open, else
	// what Options.Sandbox says.
	Runtime string
	Image   string
	// Configure changes what the sandbox is opened with, such as its limits or mounts. It is
	// called once, and only where a sandbox is opened: it does not change an open session,
	// nor is it compared with how that was opened. Runtime and Image are not its to change.
	Configure func(*sandbox.Options)
	// Wait is how long to wait for room where there is none, in line behind those who came
	// earlier. Negative: as long as the context lasts. Default: 0, ErrFull at once.
	Wait time.Duration
}

// ReleaseOptions say what Release does; nil is all defaults.
type ReleaseOptions struct {
	// DeleteWorkspace deletes the session's workspace with all that is in it, also where no
	// session of that id is open. Default: it is kept.
	DeleteWorkspace bool
}

// Reason is why a session ended.
type Reason string

// The reasons.
const (
	// ReasonReleased: by Release, or by Close of its sandbox.
	ReasonReleased Reason = "released"
	// ReasonIdle: it was idle for Options.IdleTimeout.
	ReasonIdle Reason = "idle"
	// ReasonLost: its sandbox ended by itself, as sandbox.ErrLost says.
	ReasonLost Reason = "lost"
	// ReasonShutdown: by Shutdown or Close of the manager.
	ReasonShutdown Reason = "shutdown"
)

// config is Options with every default filled in and every value checked.
type config struct{ Options }

func (o *Options) resolve() (*config, error) {
	c := &config{}
	if o != nil {
		c.Options = *o
	}
	switch {
	case c.Sandbox.Name != "":
		return nil, fmt.Errorf("the container name %q cannot be that of every session: set it in GetOptions.Configure", c.Sandbox.Name)
	case c.Sandbox.Runtime != "" && c.Sandbox.Image != "":
		return nil, errors.New("both Runtime and Image of the sandbox are set: give one of them")
	case c.SweepInterval < 0:
		return nil, fmt.Errorf("sweep interval %v is negative; to keep idle sessions, set IdleTimeout to -1", c.SweepInterval)
	case c.Max < 0:
		return nil, fmt.Errorf("max of %d sessions is negative; 0 is as many as are asked for", c.Max)
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

// what is the runtime or the image that a session is opened with: one of them is empty.
type what struct{ runtime, image string }

func (w what) String() string {
	if w.image != "" {
		return "image " + w.image
	}
	return "runtime " + w.runtime
}

// what says what a Get that finds no session opens.
func (c *config) what(o *GetOptions) what {
	w := what{o.Runtime, o.Image}
	if w == (what{}) {
		w = what{c.Sandbox.Runtime, c.Sandbox.Image}
	}
	if w == (what{}) {
		w.runtime = sandbox.DefaultRuntime
	}
	return w
}

// sandbox returns what to open the sandbox of a session with. A workspace, where there is
// one, is mounted at the work dir.
func (c *config) sandbox(w what, configure func(*sandbox.Options), workspace string) (*sandbox.Options, error) {
	o := c.Sandbox
	o.Runtime, o.Image = w.runtime, w.image
	o.Mounts = slices.Clone(o.Mounts)
	o.Env = maps.Clone(o.Env)
	if configure != nil {
		configure(&o)
		if got := (what{o.Runtime, o.Image}); got != w {
			return nil, fmt.Errorf("GetOptions.Configure changed %v to %v: say that in GetOptions.Runtime or Image", w, got)
		}
	}
	if workspace == "" {
		return &o, nil
	}
	if o.WorkDir == "" {
		var r drydock.Runtime
		var err error
		if w.image != "" {
			r, err = o.Images.Catalog.Resolve(drydock.Runtime{Image: w.image})
		} else {
			r, err = o.Images.Catalog.Runtime(w.runtime)
		}
		if err != nil {
			return nil, err
		}
		o.WorkDir = r.WorkDir
	}
	o.Mounts = append(o.Mounts, sandbox.Mount{Source: workspace, Target: o.WorkDir})
	return &o, nil
}
