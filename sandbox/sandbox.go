package sandbox

import (
	"context"
	"errors"
	"fmt"
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

	pauseMu   sync.Mutex // held while it is paused or resumed
	resumedAt time.Time  // when it last was; guarded by mu
}

// begin begins the life of a sandbox that is ready. It ends with its channel, whoever ends
// that.
func (sb *Sandbox) begin() {
	sb.done = make(chan struct{})
	sb.ctx, sb.cancel = context.WithCancel(context.Background())
	go func() {
		<-sb.ch.Done()
		sb.end()
	}()
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
