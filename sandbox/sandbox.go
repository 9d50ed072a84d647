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

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/identity"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Sandbox is one isolated environment. It is safe for concurrent use.
type Sandbox struct {
	config  *config
	spec    *engine.Container
	base    string // the image that snapshots are built on; empty if only the engine knows
	leased  bool   // the container outlives this process for a while
	workDir string
	conn    engine.Conn
	ch      *channel.Channel
	hello   wire.GuestHello
	claim   *identity.Claim

	ctx        context.Context // until the sandbox ends
	cancel     context.CancelFunc
	background sync.WaitGroup // goroutines that end with ctx

	ending   sync.Once
	done     chan struct{} // closed when the container is gone
	detached atomic.Bool   // leave the container to its lease

	mu        sync.Mutex
	err       error      // why it ended
	removeErr error      // why its container may still be there
	lastStats wire.Stats // for the share of the cpus since then

	users map[string]*userChannel // guarded by mu

	pausing sync.Mutex // held while it is paused or resumed
	resumed time.Time  // when it last was; guarded by mu
}

// Open starts a sandbox. It pulls and builds a missing image, unless Builder.Offline says
// not to. If ctx ends before the sandbox is ready, whatever was begun is removed and the
// cause of ctx returned; afterwards ctx has no bearing on the sandbox. An engine that cannot
// be reached is ErrEngine.
func Open(ctx context.Context, opts *Options) (*Sandbox, error) {
	sb, err := open(ctx, opts)
	return sb, failure("open", "", err)
}

func open(ctx context.Context, opts *Options) (*Sandbox, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c, err := opts.resolve()
	if err != nil {
		return nil, invalid("%w", err)
	}
	if c.Snapshot == "" {
		return c.open(ctx, source{})
	}
	s, err := findSnapshot(ctx, c.Engine, c.Snapshot)
	if err != nil {
		return nil, err
	}
	if c, err = c.withSnapshot(s); err != nil {
		return nil, err
	}
	sb, err := c.open(ctx, source{image: s.ref, base: s.Base})
	if err != nil {
		return nil, err
	}
	if err := sb.restoreOwn(ctx); err != nil {
		sb.Close()
		return nil, err
	}
	return sb, nil
}

// withSnapshot returns the configuration with the options that a snapshot has and the
// caller left open.
func (c *config) withSnapshot(s *SnapshotInfo) (*config, error) {
	full := *c
	full.WorkDir = cmp.Or(c.WorkDir, s.WorkDir)
	full.User = cmp.Or(c.User, s.labels[engine.LabelUser])
	full.WritableRoot = c.WritableRoot || s.labels[engine.LabelWritable] != ""
	return &full, full.checkIdentity()
}

// source is the image of a sandbox.
type source struct {
	image string // a reference that is there or nowhere; empty is the runtime's image
	base  string // the image that snapshots are built on; empty is image itself
}

// open starts a sandbox of the configuration.
func (c *config) open(ctx context.Context, from source) (*Sandbox, error) {
	info, err := c.Engine.Info(ctx)
	if err != nil {
		return nil, err
	}
	build := from.image == ""
	if build {
		if from.image, err = image.Reference(c.resolved, info.Arch); err != nil {
			return nil, err
		}
	}
	volumes, err := c.findVolumes(ctx)
	if err != nil {
		return nil, err
	}
	id, claim, err := c.identify(info, volumes.owner)
	if err != nil {
		return nil, err
	}
	spec := c.container(from.image, id, info)
	launch := func() (*Sandbox, error) {
		if err := volumes.make(ctx, c.Engine, from.image, id); err != nil {
			return nil, err
		}
		sb := &Sandbox{config: c, spec: spec, base: cmp.Or(from.base, from.image), workDir: c.WorkDir, leased: c.Lease > 0, claim: claim}
		return sb, sb.start(ctx, c.processes(id))
	}
	var sb *Sandbox
	if build && c.Images.Pull == image.PullAlways && !c.Images.Offline {
		err = c.Images.Ensure(ctx, c.resolved)
	}
	if err == nil {
		sb, err = launch()
	}
	if errors.Is(err, ErrNoImage) && build {
		if err = c.Images.Ensure(ctx, c.resolved); err == nil {
			sb, err = launch()
		}
	}
	if err != nil {
		claim.Release()
		return nil, err
	}
	if sweepDue(c.Engine) {
		sb.goWhileAlive(sb.sweep)
	}
	image.MarkUsed(spec.Image)
	c.Logger.InfoContext(ctx, "sandbox opened", "name", spec.Name, "image", spec.Image, "user", spec.User)
	return sb, nil
}

// Adopt returns a sandbox with a Lease that another process opened and left behind. Its
// files and background jobs are as they were. A paused one is resumed. Of opts, Engine,
// Images.Engine, StartTimeout and Logger count. Whoever has the sandbox already loses it, with
// ErrLost. A sandbox that does not run, or has no lease, is an error.
func Adopt(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	sb, err := adopt(ctx, name, opts)
	return sb, failure("adopt", name, err)
}

func adopt(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	c, err := opts.resolve()
	if err != nil {
		return nil, invalid("%w", err)
	}
	if !simpleName.MatchString(name) {
		return nil, invalid("%q is no container's name", name)
	}
	try := func() (*Sandbox, error) {
		sb := &Sandbox{config: c, spec: &engine.Container{Name: name}, leased: true}
		return sb, sb.connect(ctx)
	}
	sb, err := try()
	if err != nil && c.unpause(ctx, name) {
		// Whoever paused it has gone.
		sb, err = try()
	}
	if err != nil {
		return nil, err
	}
	c.Logger.InfoContext(ctx, "sandbox adopted", "name", name)
	return sb, nil
}

// unpause lets a sandbox of that name go on, and reports false if it was not paused.
func (c *config) unpause(ctx context.Context, name string) bool {
	pauser, err := engine.Require[engine.Pauser](ctx, c.Engine)
	if err != nil {
		return false
	}
	all, err := c.Engine.List(ctx, engine.LabelKind, engine.KindSandbox)
	paused := func(o engine.Object) bool { return o.Name == name && o.State == "paused" }
	return err == nil && slices.ContainsFunc(all, paused) && pauser.Unpause(ctx, name) == nil
}

// start runs the container and waits for its guest. processes bounds those of the sandbox's
// user, see wire.HostHello. A start that fails leaves nothing behind.
func (sb *Sandbox) start(ctx context.Context, processes int64) error {
	ctx, cancel := sb.config.startTimeout(ctx)
	defer cancel()
	e := sb.config.Engine
	conn, err := func() (engine.Conn, error) {
		if !sb.leased {
			return e.Start(ctx, sb.spec)
		}
		if err := e.StartDetached(ctx, sb.spec); err != nil {
			return nil, err
		}
		return e.Connect(ctx, sb.spec.Name)
	}()
	if err == nil {
		err = sb.greet(ctx, conn, wire.HostHello{Procs: processes})
	}
	if err == nil {
		sb.live()
	} else if !errors.Is(err, ErrNoImage) {
		// A start that failed or was cut short can leave a container that never ran.
		sb.removeContainer()
	}
	return err
}

// connect comes back to a container that runs.
func (sb *Sandbox) connect(ctx context.Context) error {
	ctx, cancel := sb.config.startTimeout(ctx)
	defer cancel()
	conn, err := sb.config.Engine.Connect(ctx, sb.spec.Name)
	if err != nil {
		return err
	}
	if err := sb.greet(ctx, conn, wire.HostHello{Again: true}); err != nil {
		return err
	}
	sb.workDir, sb.claim = string(sb.hello.Dir), identity.ClaimKnown(sb.hello.UID)
	sb.live()
	return nil
}

func (c *config) startTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.StartTimeout, fmt.Errorf("the sandbox did not start within %v", c.StartTimeout))
}

// greet opens the channel over a connection.
func (sb *Sandbox) greet(ctx context.Context, conn engine.Conn, hello wire.HostHello) (err error) {
	hello.Dir, hello.Env = []byte(sb.config.WorkDir), envBytes(sb.env())
	sb.conn = conn
	sb.ch, sb.hello, err = openChannel(ctx, conn, hello)
	return err
}

// live begins the life of a sandbox that is ready. It ends with its channel, whoever ends
// that.
func (sb *Sandbox) live() {
	sb.done = make(chan struct{})
	sb.ctx, sb.cancel = context.WithCancel(context.Background())
	go func() {
		<-sb.ch.Done()
		sb.end()
	}()
}

// openChannel opens a channel over a connection, and ends both if the guest does not answer.
func openChannel(ctx context.Context, conn engine.Conn, hello wire.HostHello) (*channel.Channel, wire.GuestHello, error) {
	ch := channel.Open(conn.Stdin(), conn.Stdout(), hello)
	guest, err := ch.Ready(ctx)
	if err == nil {
		return ch, guest, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else {
		// The guest's stdout ended: what the engine says of it is the better reason.
		err = startError(conn, err)
	}
	ch.Close()
	conn.Close()
	ch.Wait()
	return nil, guest, err
}

// env is the environment that commands get over the image's.
func (sb *Sandbox) env() map[string]string {
	env := map[string]string{"HOME": Home, "USER": "sandbox", "LOGNAME": "sandbox"}
	maps.Copy(env, sb.config.Env)
	return env
}

// startError is why a container, or a guest in it, ended before it said hello. It quotes the
// error of the channel and does not wrap it: that is no error of a sandbox that runs.
func startError(conn engine.Conn, err error) error {
	const patience = 5 * time.Second // the process may say hello to nobody and live on
	select {
	case <-conn.Done():
		if e := conn.Wait(); e != nil {
			if _, violation := errors.AsType[*wire.ProtocolError](err); violation {
				return fmt.Errorf("%w: %v", e, err)
			}
			return e
		}
	case <-time.After(patience):
	}
	return fmt.Errorf("the guest did not answer: %v", err)
}

// goWhileAlive runs f in a goroutine that the end of the sandbox waits for. It reports false
// if the sandbox has ended.
func (sb *Sandbox) goWhileAlive(f func()) bool {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if sb.ctx.Err() != nil {
		return false
	}
	sb.background.Go(f)
	return true
}

// end takes the sandbox down and returns when it is gone.
func (sb *Sandbox) end() {
	sb.ending.Do(func() {
		defer close(sb.done)
		sb.mu.Lock()
		sb.cancel()
		sb.mu.Unlock()
		if sb.ch.Held() {
			sb.thaw() // a frozen guest does not see the end
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
		case sb.detached.Load():
			reason = ErrClosed
		case sb.leased && !errors.Is(reason, ErrClosed):
			// The connection is gone; whether the sandbox is, its lease decides.
		case sb.leased || err != nil:
			// Not the guest's own clean end, or one that this process does not see.
			sb.removeContainer()
		}
		sb.claim.Release()
		image.MarkUsed(sb.spec.Image)
		sb.mu.Lock()
		sb.err = reason
		sb.mu.Unlock()
		sb.config.Logger.Info("sandbox ended", "name", sb.spec.Name, "reason", reason)
	})
}

// removeContainer sees to it that the container is gone, with a deadline of its own.
func (sb *Sandbox) removeContainer() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := sb.config.removeOwn(ctx, sb.spec)
	if err != nil {
		sb.config.Logger.Warn("a container could not be removed", "name", sb.spec.Name, "error", err)
	}
	sb.mu.Lock()
	defer sb.mu.Unlock()
	sb.removeErr = err
}

// removeOwn removes a container, and no other that has its name: a start that failed may
// have failed because there is one.
func (c *config) removeOwn(ctx context.Context, spec *engine.Container) error {
	id, ok := spec.Labels[engine.LabelID]
	if !ok {
		return c.Engine.Remove(ctx, spec.Name) // one that was adopted
	}
	all, err := c.Engine.List(ctx, engine.LabelID, id)
	errs := []error{err}
	for _, own := range all {
		errs = append(errs, c.Engine.Remove(ctx, own.Name))
	}
	return errors.Join(errs...)
}

// Close ends the sandbox: the guest and all that runs in it, the container and its tmpfs
// mounts. It returns when they are gone, with an error only if the engine would not remove
// the container. Operations under way fail with ErrClosed. It may be called any number of
// times.
func (sb *Sandbox) Close() error {
	if sb.leased && !sb.detached.Load() {
		sb.ch.Bye()
	}
	return sb.close()
}

// Kill is Close without grace: the engine kills the container, and nothing inside is asked
// to end. It is for a sandbox that does not answer any more.
func (sb *Sandbox) Kill() error {
	sb.ch.Close()
	if !sb.detached.Load() {
		sb.removeContainer()
	}
	return sb.close()
}

// Detach leaves a sandbox that has a Lease: it and its background jobs go on, and for the
// time of the lease another process, or this one, can Adopt it. Operations under way fail
// with ErrClosed here, as later ones do. Without a lease it is Close.
func (sb *Sandbox) Detach() error {
	if sb.leased {
		sb.detached.Store(true)
	}
	return sb.close()
}

func (sb *Sandbox) close() error {
	sb.ch.Close()
	sb.end()
	<-sb.done
	sb.mu.Lock()
	defer sb.mu.Unlock()
	if sb.removeErr != nil {
		return &Error{Op: "close", Name: sb.spec.Name, Err: sb.removeErr}
	}
	return nil
}

// Name returns the container's name.
func (sb *Sandbox) Name() string { return sb.spec.Name }

// Image returns the reference of the image it runs.
func (sb *Sandbox) Image() string { return sb.spec.Image }

// StandIn says which image stands in for the runtime's own on this host, or is empty.
func (sb *Sandbox) StandIn() string { return sb.config.resolved.StandIn.String() }

// WorkDir returns the directory where relative paths start.
func (sb *Sandbox) WorkDir() string { return sb.workDir }

// User returns the numeric uid and gid that commands run as.
func (sb *Sandbox) User() (uid, gid int) { return sb.hello.UID, sb.hello.GID }

// Done is closed when the sandbox has ended and its container is gone; Err then says why.
func (sb *Sandbox) Done() <-chan struct{} { return sb.done }

// Err returns nil while the sandbox runs, then ErrClosed or an error that is ErrLost.
func (sb *Sandbox) Err() error {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	return sb.err
}

// fail ends a sandbox whose guest does not do its part.
func (sb *Sandbox) fail(err error) {
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
