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
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/identity"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Open starts a sandbox. It pulls and builds a missing image, unless Options.Images is
// Offline. If ctx ends before the sandbox is ready, Open removes what it began and returns
// the cause of ctx. Once Open has returned, ctx no longer affects the sandbox.
//
// Errors include ErrEngine if the engine cannot be reached, ErrNoImage and ErrOffline, an
// *image.BuildError, and CodeInvalid for an option that cannot be used.
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
		return nil, invalidOptions(err)
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

// source is the image of a sandbox.
type source struct {
	image string // never pulled or built; empty means the runtime's image, which is
	base  string // the image that snapshots are built on; empty means image itself
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
		if err := volumes.create(ctx, c.Engine, from.image, id); err != nil {
			return nil, err
		}
		sb := &Sandbox{config: c, spec: spec, base: cmp.Or(from.base, from.image), workDir: c.WorkDir, leased: c.Lease > 0, claim: claim}
		return sb, sb.start(ctx, c.maxProcesses(id))
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
	if claimSweep(c.Engine) {
		sb.goWhileAlive(sb.sweep)
	}
	image.MarkUsed(spec.Image)
	c.Logger.InfoContext(ctx, "sandbox opened", "name", spec.Name, "image", spec.Image, "user", spec.User)
	return sb, nil
}

// Adopt takes over a sandbox that has a Lease and was opened by another process, or left with
// Detach. Its files and background jobs are as they were; if it is paused, it is resumed. Of
// opts only Engine, Images.Engine, StartTimeout and Logger count. A process that still has
// the sandbox gets ErrLost from then on. A sandbox that does not run, or has no lease, is an
// error.
func Adopt(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	sb, err := adopt(ctx, name, opts)
	return sb, failure("adopt", name, err)
}

func adopt(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	c, err := opts.resolve()
	if err != nil {
		return nil, invalidOptions(err)
	}
	if !simpleName.MatchString(name) {
		return nil, invalid("%q is no container's name", name)
	}
	found, err := c.find(ctx, name)
	if err != nil {
		return nil, err
	}
	try := func() (*Sandbox, error) {
		// Its labels tell it from a later container of its name.
		sb := &Sandbox{config: c, spec: &engine.Container{Name: name, Labels: found.Labels}, leased: true}
		return sb, sb.connect(ctx)
	}
	sb, err := try()
	if err != nil && found.State == "paused" && c.unpause(ctx, name) {
		// The process that paused it may be gone.
		sb, err = try()
	}
	if err != nil {
		return nil, err
	}
	c.Logger.InfoContext(ctx, "sandbox adopted", "name", name)
	return sb, nil
}

// find returns the container of the sandbox of that name, or the zero Object if there is none.
func (c *config) find(ctx context.Context, name string) (engine.Object, error) {
	all, err := c.Engine.List(ctx, engine.LabelKind, engine.KindSandbox)
	if err != nil {
		return engine.Object{}, err
	}
	if i := slices.IndexFunc(all, func(o engine.Object) bool { return o.Name == name }); i >= 0 {
		return all[i], nil
	}
	return engine.Object{}, nil
}

// unpause resumes a paused sandbox. It reports false if the engine could not do so within the
// StartTimeout.
func (c *config) unpause(ctx context.Context, name string) bool {
	ctx, cancel := c.startTimeout(ctx)
	defer cancel()
	e, err := engine.Require[engine.Pauser](ctx, c.Engine)
	return err == nil && e.Unpause(ctx, name) == nil
}

// start runs the container and waits for its guest. maxProcesses is for wire.HostHello. If
// start fails it leaves nothing behind.
func (sb *Sandbox) start(ctx context.Context, maxProcesses int64) error {
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
		err = sb.greet(ctx, conn, wire.HostHello{Procs: maxProcesses})
	}
	if err == nil {
		sb.begin()
	} else if !errors.Is(err, ErrNoImage) {
		// A failed or canceled start can leave a container that never ran.
		sb.removeContainer()
	}
	return err
}

// connect opens a channel to the guest of a container that runs already.
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
	sb.begin()
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
		// The guest's stdout ended. The engine's error says more about the reason.
		err = startError(conn, err)
	}
	ch.Close()
	conn.Close()
	ch.Wait()
	return nil, guest, err
}

// env returns the environment of commands. It is laid over that of the image.
func (sb *Sandbox) env() map[string]string {
	env := map[string]string{"HOME": Home, "USER": "sandbox", "LOGNAME": "sandbox"}
	maps.Copy(env, sb.config.Env)
	return env
}

// startError returns why a container, or a guest in it, ended before its hello. It quotes the
// channel's error without wrapping it: callers must not take that for the error of a sandbox
// that was running.
func startError(conn engine.Conn, err error) error {
	const timeout = 5 * time.Second // the engine's process may go on after it has closed stdout
	select {
	case <-conn.Done():
		if e := conn.Wait(); e != nil {
			if _, violation := errors.AsType[*wire.ProtocolError](err); violation {
				return fmt.Errorf("%w: %v", e, err)
			}
			return e
		}
	case <-time.After(timeout):
	}
	return fmt.Errorf("the guest did not answer: %v", err)
}

func randomName() string { return "drydock-" + strings.ToLower(rand.Text()[:12]) }

// envBytes returns an environment in the protocol's form, sorted.
func envBytes(env map[string]string) [][]byte {
	out := make([][]byte, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, []byte(key+"="+env[key]))
	}
	return out
}
