package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
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

	mu  sync.Mutex
	err error // why it ended
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
		return nil, &Error{Op: "open", Code: string(wire.CodeInvalid), Err: err}
	}
	info, err := c.Engine.Info(ctx)
	if err != nil {
		return nil, err
	}
	im, err := newImage(c.runtime, info.Arch)
	if err != nil {
		return nil, err
	}
	id, claim, err := c.settle(info)
	if err != nil {
		return nil, err
	}
	spec := c.container(im.tag, id, info)
	sb, err := start(ctx, c, spec)
	if errors.Is(err, ErrNoImage) {
		if err = im.ensure(ctx, c); err == nil {
			sb, err = start(ctx, c, spec)
		}
	}
	if err != nil {
		claim.release()
		return nil, err
	}
	sb.claim = claim
	go sb.watch()
	c.Logger.InfoContext(ctx, "sandbox opened", "name", spec.Name, "image", spec.Image, "user", spec.User)
	return sb, nil
}

// start runs the container and waits for its guest.
func start(ctx context.Context, c *config, spec *Container) (*Sandbox, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.StartTimeout,
		fmt.Errorf("the sandbox did not start within %v", c.StartTimeout))
	defer cancel()
	conn, err := c.Engine.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	sb := &Sandbox{c: c, spec: spec, conn: conn, over: make(chan struct{})}
	env := map[string]string{"HOME": Home, "USER": "sandbox", "LOGNAME": "sandbox"}
	maps.Copy(env, c.Env)
	sb.ch = channel.Open(conn.Stdin(), conn.Stdout(), wire.HostHello{Dir: []byte(c.WorkDir), Env: envBytes(env)})
	if sb.hello, err = sb.ch.Ready(ctx); err == nil {
		return sb, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else {
		// The guest's stdout ended: what the engine says of it is the better reason.
		err = sb.startError(err)
	}
	sb.ch.Close()
	conn.Close()
	sb.ch.Wait()
	if !errors.Is(err, ErrNoImage) {
		// A start that failed or was cut short can leave a container that never ran.
		sb.remove()
	}
	return nil, err
}

// startError is why a container ended before its guest said hello.
func (sb *Sandbox) startError(err error) error {
	const patience = 5 * time.Second // the process may say hello to nobody and live on
	select {
	case <-sb.conn.Done():
		if e := sb.conn.Wait(); e != nil {
			return e
		}
	case <-time.After(patience):
	}
	return fmt.Errorf("the guest did not answer: %w", err)
}

// watch ends the sandbox when its channel ends, whoever ended it.
func (sb *Sandbox) watch() {
	<-sb.ch.Done()
	sb.end()
}

// end takes the sandbox down and returns when it is gone.
func (sb *Sandbox) end() {
	sb.close.Do(func() {
		defer close(sb.over)
		sb.conn.Close()
		err := sb.conn.Wait()
		sb.ch.Wait()
		reason := sb.ch.Err()
		if errors.Is(reason, channel.ErrClosed) {
			reason = ErrClosed
		} else {
			reason = fmt.Errorf("%w: %w", ErrLost, errors.Join(reason, err))
		}
		sb.mu.Lock()
		sb.err = reason
		sb.mu.Unlock()
		if err != nil {
			// Not the guest's own clean end: the engine may still have the container.
			sb.remove()
		}
		sb.claim.release()
		sb.c.Logger.Info("sandbox ended", "name", sb.spec.Name, "reason", reason)
	})
}

// remove sees to it that the container is gone, with a deadline of its own.
func (sb *Sandbox) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := sb.c.Engine.Remove(ctx, sb.spec.Name); err != nil {
		sb.c.Logger.Warn("a container could not be removed", "name", sb.spec.Name, "error", err)
	}
}

// Close ends the sandbox: the guest and all that runs in it, the container and its tmpfs
// mounts. It returns when they are gone. Operations under way fail with ErrClosed. Calls
// after the first wait for it and return nil.
func (sb *Sandbox) Close() error {
	sb.ch.Close()
	sb.end()
	<-sb.over
	return nil
}

// Name returns the container's name.
func (sb *Sandbox) Name() string { return sb.spec.Name }

// Image returns the reference of the image it runs.
func (sb *Sandbox) Image() string { return sb.spec.Image }

// StandIn says which image stands in for the runtime's own on this host, or is empty.
func (sb *Sandbox) StandIn() string { return sb.c.runtime.StandIn }

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
	sb.remove()
}

// Alive reports whether the sandbox runs.
func (sb *Sandbox) Alive() bool { return sb.ch.Err() == nil }

// Idle returns for how long no operation has been under way; it is 0 while one is, such
// as a command that runs or a file that is being written.
func (sb *Sandbox) Idle() time.Duration { return sb.ch.Idle() }

func randomName() string { return "drydock-" + strings.ToLower(rand.Text()[:12]) }

// envBytes is an environment as the protocol carries it, sorted.
func envBytes(env map[string]string) [][]byte {
	out := make([][]byte, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, []byte(key+"="+env[key]))
	}
	return out
}
