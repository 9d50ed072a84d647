package sandbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// ErrPaused: the sandbox is paused. Call Resume first.
var ErrPaused = errors.New("sandbox is paused")

// Pause freezes all processes of the sandbox. They use no cpu, keep their memory, and go on
// after Resume. Meanwhile new operations fail with ErrPaused, and operations under way wait; if
// their context ends or their Timeout expires, they end after Resume. Pausing a paused sandbox
// is no error. Once Pause has begun it ignores the end of ctx, and takes at most 20 s.
func (sb *Sandbox) Pause(ctx context.Context) error {
	return sb.failure("pause", "", sb.pause(ctx))
}

func (sb *Sandbox) pause(ctx context.Context) error {
	sb.stateMu.Lock()
	defer sb.stateMu.Unlock()
	if sb.Paused() {
		return nil
	}
	err := cmp.Or(sb.ch.Err(), context.Cause(ctx))
	var e engine.Pauser
	if err == nil {
		e, err = engine.Require[engine.Pauser](ctx, sb.config.Engine)
	}
	if err == nil {
		// Before the freeze: a call that is sent after it would get no answer.
		sb.hold(ErrPaused)
		ctx, cancel := uninterrupted(ctx)
		defer cancel()
		if err = e.Pause(ctx, sb.spec.Name); err != nil {
			// The engine may have frozen the sandbox although its command failed.
			sb.thaw()
			sb.hold(nil)
		}
	}
	return err
}

// Resume lets a paused sandbox go on. It succeeds if the sandbox is not paused. Like Pause it
// ignores the end of ctx once it has begun, and takes at most 20 s.
func (sb *Sandbox) Resume(ctx context.Context) error {
	return sb.failure("resume", "", sb.resume(ctx))
}

func (sb *Sandbox) resume(ctx context.Context) error {
	sb.stateMu.Lock()
	defer sb.stateMu.Unlock()
	err := cmp.Or(sb.ch.Err(), context.Cause(ctx))
	if err == nil && sb.Paused() {
		ctx, cancel := uninterrupted(ctx)
		defer cancel()
		err = sb.unpause(ctx)
		if err != nil && sb.runs(ctx) {
			err = nil // another process has resumed it, or the engine did although its command failed
		}
		if err == nil {
			sb.hold(nil)
		}
	}
	return err
}

// uninterrupted returns a context that ignores cancellation: an engine call killed half way
// can leave a sandbox frozen that the engine reports as running.
func uninterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
}

// runs reports whether the engine says that the sandbox is not paused.
func (sb *Sandbox) runs(ctx context.Context) bool {
	all, err := sb.config.Engine.List(ctx, engine.LabelKind, engine.KindSandbox)
	return err == nil && slices.ContainsFunc(all, func(o engine.Object) bool { return o.Name == sb.spec.Name && o.State == "running" })
}

// Paused reports whether the sandbox is paused.
func (sb *Sandbox) Paused() bool { return sb.ch.Held() && sb.Alive() }

// hold makes new operations fail with err. A nil err lets them through again.
func (sb *Sandbox) hold(err error) {
	sb.ch.Hold(err)
	for _, ch := range sb.userChannels() {
		ch.Hold(err)
	}
	if err == nil {
		sb.mu.Lock()
		defer sb.mu.Unlock()
		sb.resumedAt = time.Now()
	}
}

// frozen reports whether the sandbox is paused, or was within the last d.
func (sb *Sandbox) frozen(d time.Duration) bool {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	return sb.Paused() || time.Since(sb.resumedAt) < d
}

// thaw resumes a sandbox that may be frozen.
func (sb *Sandbox) thaw() {
	ctx, cancel := uninterrupted(context.Background())
	defer cancel()
	// The engine's error says that the sandbox is not frozen, or is gone, which is fine.
	_ = sb.unpause(ctx)
}

func (sb *Sandbox) unpause(ctx context.Context) error {
	e, err := engine.Require[engine.Pauser](ctx, sb.config.Engine)
	if err != nil {
		return err
	}
	return e.Unpause(ctx, sb.spec.Name)
}
