package sandbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Sandbox is one isolated environment. It is safe for concurrent use.
type Sandbox struct {
	c     *config
	spec  *Container
	conn  Conn
	ch    *channel.Channel
	hello wire.GuestHello
	claim *uidClaim

	close sync.Once
	over  chan struct{} // closed when the container is gone
	keep  atomic.Bool   // Detach: leave the container to its lease

	life       context.Context // until the sandbox ends
	endLife    context.CancelFunc
	background sync.WaitGroup

	mu   sync.Mutex
	err  error      // why it ended
	left error      // why its container may still be there
	last wire.Stats // for the share of the cpus since then

	users map[string]*userChannel

	pausing sync.Mutex // held while it is paused or resumed
	resumed time.Time  // when it last was; guarded by mu
}

// Open starts a sandbox. It pulls and builds what is missing, unless Options.Offline
// says not to. When ctx ends before the sandbox is ready, what was begun is removed and
// the cause of ctx returned; afterwards ctx has no bearing on the sandbox.
func Open(ctx context.Context, opts *Options) (*Sandbox, error) {
	sb, err := open(ctx, opts)
	if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
		err = &Error{Op: "open", Err: err}
	}
	return sb, err
}

func open(ctx context.Context, opts *Options) (*Sandbox, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c, err := opts.resolve()
	if err != nil {
		return nil, &Error{Op: "open", Code: CodeInvalid, Err: err}
	}
	if c.Snapshot == "" {
		return c.open(ctx)
	}
	s, err := c.useSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	c.ready, c.base = s.ref, s.Base
	sb, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := sb.unpackSaved(ctx); err != nil {
		sb.Close()
		return nil, err
	}
	return sb, nil
}

// useSnapshot fills in what only the snapshot knows.
func (c *config) useSnapshot(ctx context.Context) (*SnapshotInfo, error) {
	s, err := findSnapshot(ctx, c.Engine, c.Snapshot)
	if err != nil {
		return nil, err
	}
	c.WorkDir = cmp.Or(c.WorkDir, s.WorkDir)
	c.User = cmp.Or(c.User, s.labels[LabelUser])
	c.WritableRoot = c.WritableRoot || s.labels[LabelWritable] != ""
	return s, checkUser(c.User)
}

// open starts a sandbox of the configuration.
func (c *config) open(ctx context.Context) (*Sandbox, error) {
	info, err := c.Engine.Info(ctx)
	if err != nil {
		return nil, err
	}
	im := &image{tag: c.ready}
	if c.ready == "" {
		if im, err = newImage(c.runtime, info.Arch); err != nil {
			return nil, err
		}
	}
	id, claim, err := c.settle(ctx, info)
	if err != nil {
		return nil, err
	}
	spec := c.container(im.tag, id, info)
	launch := func() (*Sandbox, error) {
		if err := c.makeVolumes(ctx, im.tag, id); err != nil {
			return nil, err
		}
		return start(ctx, c, spec, false)
	}
	var sb *Sandbox
	if c.ready == "" && c.Build.Pull == PullAlways && !c.Offline {
		err = im.ensure(ctx, c)
	}
	if err == nil {
		sb, err = launch()
	}
	if errors.Is(err, ErrNoImage) && c.ready == "" {
		if err = im.ensure(ctx, c); err == nil {
			sb, err = launch()
		}
	}
	if err != nil {
		claim.release()
		return nil, err
	}
	sb.claim = claim
	sb.live(sweepDue(c.Engine))
	markUsed(spec.Image)
	c.Logger.InfoContext(ctx, "sandbox opened", "name", spec.Name, "image", spec.Image, "user", spec.User)
	return sb, nil
}

// Attach returns a sandbox with a Lease that another process opened and left behind: its
// files and background jobs are as they were, and go on if it was paused. Of opts, Engine,
// StartTimeout and Logger count. Whoever is attached already loses it, with ErrLost. A
// sandbox that does not run, or has no lease, is an error.
func Attach(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	sb, err := attach(ctx, name, opts)
	if err != nil {
		return nil, &Error{Op: "attach", Name: name, Err: err}
	}
	return sb, nil
}

func attach(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	c, err := opts.resolve()
	if err != nil {
		return nil, err
	}
	if !simpleName.MatchString(name) {
		return nil, fmt.Errorf("%q is no container's name", name)
	}
	c.Lease = 1 // it has one, of a length that only it knows
	sb, err := start(ctx, c, &Container{Name: name}, true)
	if err != nil && c.paused(ctx, name) && c.Engine.Unpause(ctx, name) == nil {
		// Whoever paused it has gone.
		sb, err = start(ctx, c, &Container{Name: name}, true)
	}
	if err != nil {
		return nil, err
	}
	c.WorkDir = string(sb.hello.Dir)
	sb.claim = claimKnown(sb.hello.UID)
	sb.live(false)
	c.Logger.InfoContext(ctx, "sandbox attached", "name", name)
	return sb, nil
}

// paused reports whether a sandbox of that name is paused.
func (c *config) paused(ctx context.Context, name string) bool {
	all, err := c.Engine.List(ctx, LabelKind, "sandbox")
	return err == nil && slices.ContainsFunc(all, func(l Listed) bool { return l.Name == name && l.State == "paused" })
}

// start runs the container, unless there is one to come back to, and waits for its guest.
func start(ctx context.Context, c *config, spec *Container, again bool) (*Sandbox, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.StartTimeout,
		fmt.Errorf("the sandbox did not start within %v", c.StartTimeout))
	defer cancel()
	sb := &Sandbox{c: c, spec: spec, over: make(chan struct{})}
	undo := func(err error) error {
		if !again && !errors.Is(err, ErrNoImage) {
			// A start that failed or was cut short can leave a container that never ran.
			sb.removeContainer()
		}
		return err
	}
	var err error
	switch {
	case c.Lease == 0:
		sb.conn, err = c.Engine.Start(ctx, spec)
	case !again:
		if err = c.Engine.StartDetached(ctx, spec); err != nil {
			return nil, undo(err)
		}
		fallthrough
	default:
		sb.conn, err = c.Engine.Connect(ctx, spec.Name, "")
	}
	if err != nil {
		return nil, undo(err)
	}
	sb.ch = channel.Open(sb.conn.Stdin(), sb.conn.Stdout(),
		wire.HostHello{Dir: []byte(c.WorkDir), Env: envBytes(sb.env()), Again: again, Procs: spec.Procs})
	if sb.hello, err = sb.ch.Ready(ctx); err == nil {
		return sb, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else {
		// The guest's stdout ended: what the engine says of it is the better reason.
		err = startError(sb.conn, err)
	}
	sb.ch.Close()
	sb.conn.Close()
	sb.ch.Wait()
	return nil, undo(err)
}

// env is the environment that commands get over the image's.
func (sb *Sandbox) env() map[string]string {
	env := map[string]string{"HOME": Home, "USER": "sandbox", "LOGNAME": "sandbox"}
	maps.Copy(env, sb.c.Env)
	return env
}

// startError is why a container, or a guest in it, ended before it said hello. The error of
// its channel is only quoted: it is none of a sandbox that runs.
func startError(conn Conn, err error) error {
	const patience = 5 * time.Second // the process may say hello to nobody and live on
	select {
	case <-conn.Done():
		e := conn.Wait()
		var violation *wire.ProtocolError
		switch {
		case e == nil:
		case errors.As(err, &violation):
			return fmt.Errorf("%w: %v", e, err)
		default:
			return e
		}
	case <-time.After(patience):
	}
	return fmt.Errorf("the guest did not answer: %v", err)
}

// live begins the life of a sandbox that is ready, and with sweep removes what others left
// behind. It ends with its channel, whoever ends that.
func (sb *Sandbox) live(sweep bool) {
	sb.life, sb.endLife = context.WithCancel(context.Background())
	if sweep {
		sb.background.Go(sb.sweep)
	}
	go func() {
		<-sb.ch.Done()
		sb.end()
	}()
}

// attend runs f in a goroutine that the sandbox's end waits for, and reports false where it
// has ended.
func (sb *Sandbox) attend(f func()) bool {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if sb.life.Err() != nil {
		return false
	}
	sb.background.Go(f)
	return true
}

// end takes the sandbox down and returns when it is gone.
func (sb *Sandbox) end() {
	sb.close.Do(func() {
		defer close(sb.over)
		sb.mu.Lock()
		sb.endLife()
		sb.mu.Unlock()
		if sb.ch.Held() {
			sb.thaw() // a guest that is frozen does not see the end
		}
		sb.conn.Close()
		sb.background.Wait()
		err := sb.conn.Wait()
		sb.ch.Wait()
		reason := sb.ch.Err()
		if errors.Is(reason, channel.ErrClosed) {
			reason = ErrClosed
		} else {
			reason = fmt.Errorf("%w: %w", ErrLost, errors.Join(reason, err))
		}
		switch {
		case sb.keep.Load():
			reason = ErrClosed
		case sb.c.Lease > 0 && !errors.Is(reason, ErrClosed):
			// The connection is gone; whether the sandbox is, its lease decides.
		case sb.c.Lease > 0 || err != nil:
			// Not the guest's own clean end, or one that this process does not see.
			sb.removeContainer()
		}
		sb.claim.release()
		markUsed(sb.spec.Image)
		sb.mu.Lock()
		sb.err = reason
		sb.mu.Unlock()
		sb.c.Logger.Info("sandbox ended", "name", sb.spec.Name, "reason", reason)
	})
}

// removeContainer sees to it that the container is gone, with a deadline of its own.
func (sb *Sandbox) removeContainer() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := sb.c.removeOwn(ctx, sb.spec)
	if err != nil {
		sb.c.Logger.Warn("a container could not be removed", "name", sb.spec.Name, "error", err)
	}
	sb.mu.Lock()
	defer sb.mu.Unlock()
	sb.left = err
}

// removeOwn removes a container, and no other that has its name: a start that failed may
// have failed because there is one.
func (c *config) removeOwn(ctx context.Context, spec *Container) error {
	id, ok := spec.Labels[LabelID]
	if !ok {
		return c.Engine.Remove(ctx, spec.Name) // one that was attached to
	}
	all, err := c.Engine.List(ctx, LabelID, id)
	errs := []error{err}
	for _, own := range all {
		errs = append(errs, c.Engine.Remove(ctx, own.Name))
	}
	return errors.Join(errs...)
}

// Close ends the sandbox: the guest and all that runs in it, the container and its tmpfs
// mounts. It returns when they are gone, with an error only where the engine would not
// remove the container. Operations under way fail with ErrClosed. It may be called any
// number of times.
func (sb *Sandbox) Close() error {
	if sb.c.Lease > 0 && !sb.keep.Load() {
		sb.ch.Bye()
	}
	sb.ch.Close()
	sb.end()
	<-sb.over
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if sb.left != nil {
		return &Error{Op: "close", Name: sb.spec.Name, Err: sb.left}
	}
	return nil
}

// Detach leaves a sandbox that has a Lease: it and its background jobs go on, and for the
// time of the lease another process, or this one, can Attach to it. Operations under way
// fail with ErrClosed here, as later ones do. Without a lease it is Close.
func (sb *Sandbox) Detach() error {
	if sb.c.Lease > 0 {
		sb.keep.Store(true)
	}
	return sb.Close()
}

// Name returns the container's name.
func (sb *Sandbox) Name() string { return sb.spec.Name }

// Image returns the reference of the image it runs.
func (sb *Sandbox) Image() string { return sb.spec.Image }

// StandIn says which image stands in for the runtime's own on this host, or is empty.
func (sb *Sandbox) StandIn() string { return sb.c.runtime.StandIn.String() }

// WorkDir returns the directory where relative paths start.
func (sb *Sandbox) WorkDir() string { return sb.c.WorkDir }

// User returns the numeric uid and gid that commands run as.
func (sb *Sandbox) User() (uid, gid int) { return sb.hello.UID, sb.hello.GID }

// Done is closed when the sandbox has ended and its container is gone; Err then says why.
func (sb *Sandbox) Done() <-chan struct{} { return sb.over }

// Err returns nil while the sandbox runs, then ErrClosed or an error that is ErrLost.
func (sb *Sandbox) Err() error {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	return sb.err
}

// lose ends a sandbox whose guest does not do its part.
func (sb *Sandbox) lose(err error) {
	sb.ch.Fail(err)
	// A guest that is stuck does not see the end of its stdin either.
	sb.removeContainer()
}

// Alive reports whether the sandbox runs.
func (sb *Sandbox) Alive() bool { return sb.ch.Err() == nil }

// Idle returns for how long no operation has been under way; it is 0 while one is, such
// as a command that runs or a file that is being written.
func (sb *Sandbox) Idle() time.Duration {
	idle := sb.ch.Idle()
	sb.mu.Lock()
	defer sb.mu.Unlock()
	for _, u := range sb.users {
		select {
		case <-u.ready:
			idle = min(idle, u.ch.Idle()) // one that failed is not in the list
		default:
			idle = 0
		}
	}
	return idle
}

func randomName() string { return "drydock-" + strings.ToLower(rand.Text()[:12]) }

// envBytes is an environment as the protocol carries it, sorted.
func envBytes(env map[string]string) [][]byte {
	out := make([][]byte, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, []byte(key+"="+env[key]))
	}
	return out
}
