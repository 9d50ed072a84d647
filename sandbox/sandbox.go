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
	base    string // the image that snapshots are built on; empty if it was adopted
	leased  bool   // it has a Lease: the container may outlive this process
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
	detached atomic.Bool   // Detach was called: the lease ends the container

	mu        sync.Mutex
	err       error      // why it ended
	removeErr error      // why its container may still be there
	lastStats wire.Stats // of the last call of Stats, for Stats.CPUPercent

	users map[string]*userChannel // guarded by mu

	// stateMu is held while the engine pauses, resumes, commits or removes the container, or
	// starts a process in it: docker 20.10 can hang for minutes if it is asked for two of these
	// at once.
	stateMu   sync.Mutex
	resumedAt time.Time // when it was last resumed; guarded by mu
}

// begin starts the goroutine that ends the sandbox when its channel has ended. Call it once
// the guest is ready.
func (sb *Sandbox) begin() {
	sb.done = make(chan struct{})
	sb.ctx, sb.cancel = context.WithCancel(context.Background())
	go func() {
		<-sb.ch.Done()
		sb.end()
	}()
}

// goWhileAlive runs f in a goroutine; the end of the sandbox waits for it. It reports false,
// and does not run f, if the sandbox has ended.
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
		sb.stateMu.Lock()
		if sb.ch.Held() {
			sb.thaw() // a frozen guest does not see the end
		}
		sb.stateMu.Unlock()
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
			// Only the connection is gone: the lease decides when the container ends.
		case sb.leased || err != nil:
			// The guest did not end by itself, or this process cannot see whether it did.
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

// removeContainer removes the container, within 20 s. It keeps the error for Close.
func (sb *Sandbox) removeContainer() {
	sb.stateMu.Lock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	err := sb.config.removeOwn(ctx, sb.spec)
	cancel()
	sb.stateMu.Unlock()
	if err != nil {
		sb.config.Logger.Warn("a container could not be removed", "name", sb.spec.Name, "error", err)
	}
	sb.mu.Lock()
	defer sb.mu.Unlock()
	sb.removeErr = err
}

// removeOwn removes the container of spec, and no other of the same name: a start may have
// failed because another container has the name.
func (c *config) removeOwn(ctx context.Context, spec *engine.Container) error {
	id, ok := spec.Labels[engine.LabelID]
	if !ok {
		return c.Engine.Remove(ctx, spec.Name) // it was adopted, from an engine without labels
	}
	all, err := c.Engine.List(ctx, engine.LabelID, id)
	errs := []error{err}
	for _, own := range all {
		errs = append(errs, c.Engine.Remove(ctx, own.Name))
	}
	return errors.Join(errs...)
}

// Close ends the sandbox: the guest, everything that runs in it, the container and its tmpfs
// mounts. It returns when they are gone. The error is nil unless the engine failed to remove
// the container. Operations under way fail with ErrClosed. It may be called any number of
// times.
func (sb *Sandbox) Close() error {
	if sb.leased && !sb.detached.Load() {
		sb.ch.Bye()
	}
	return sb.close()
}

// Kill is the ungraceful Close: the engine kills the container, and nothing inside is asked
// to end. Use it for a sandbox that no longer answers.
func (sb *Sandbox) Kill() error {
	alive := sb.Alive() // else the container may be another process's by now
	sb.ch.Close()
	if alive && !sb.detached.Load() {
		sb.removeContainer()
	}
	return sb.close()
}

// Detach leaves a sandbox that has a Lease. The sandbox and its background jobs go on, and
// until the lease expires this process or another one can Adopt it. Here, operations under
// way and later ones fail with ErrClosed. Without a Lease, Detach is Close.
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

// Image returns the reference of the sandbox's image. It is empty if the sandbox was adopted.
func (sb *Sandbox) Image() string { return sb.spec.Image }

// StandIn says which image stands in for the runtime's own on this host. It is empty if none
// does.
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

// fail ends the sandbox because its guest does not respond as it must.
func (sb *Sandbox) fail(err error) {
	sb.ch.Fail(err)
	// A stuck guest does not see the end of its stdin either.
	sb.removeContainer()
}

// Alive reports whether the sandbox has not ended. A paused sandbox is alive.
func (sb *Sandbox) Alive() bool { return sb.ch.Err() == nil }

// Idle returns how long ago the last operation ended. It is 0 while one is under way, such as
// a running command or a file that is being written.
func (sb *Sandbox) Idle() time.Duration {
	idle := sb.ch.Idle()
	sb.mu.Lock()
	defer sb.mu.Unlock()
	for _, u := range sb.users {
		select {
		case <-u.ready:
			idle = min(idle, u.ch.Idle()) // guests that failed are not in the map
		default:
			idle = 0
		}
	}
	return idle
}
