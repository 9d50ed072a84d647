package sandbox

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// ErrPaused: the sandbox is paused. Resume it first.
var ErrPaused = errors.New("sandbox is paused")

// Pause freezes all that runs in the sandbox: it uses no cpu, keeps its memory, and goes on
// where it was after Resume. Meanwhile operations fail with ErrPaused, and those under way
// wait, also when their context ends or their Timeout is over, which then ends them at
// Resume. A sandbox that is paused is no error.
func (sb *Sandbox) Pause(ctx context.Context) error {
	sb.pausing.Lock()
	defer sb.pausing.Unlock()
	if sb.Paused() {
		return nil
	}
	err := cmp.Or(sb.ch.Err(), context.Cause(ctx))
	if err == nil {
		// Before it is frozen, so that no call can have been sent and get no answer.
		sb.hold(ErrPaused)
		if err = sb.c.Engine.Pause(ctx, sb.spec.Name); err != nil {
			// Frozen or not: a call of the engine that was cut short may have been heard.
			sb.thaw()
			sb.hold(nil)
		}
	}
	return sb.failure("pause", "", err)
}

// Resume lets a paused sandbox go on. One that is not paused is no error.
func (sb *Sandbox) Resume(ctx context.Context) error {
	sb.pausing.Lock()
	defer sb.pausing.Unlock()
	err := sb.ch.Err()
	if err == nil && sb.Paused() {
		if err = sb.c.Engine.Unpause(ctx, sb.spec.Name); err == nil {
			sb.hold(nil)
		}
	}
	return sb.failure("resume", "", err)
}

// Paused reports whether the sandbox is paused.
func (sb *Sandbox) Paused() bool { return sb.ch.Held() && sb.Alive() }

// hold makes operations fail with err, or with nil possible again.
func (sb *Sandbox) hold(err error) {
	sb.ch.Hold(err)
	for _, ch := range sb.userChannels() {
		ch.Hold(err)
	}
	if err == nil {
		sb.mu.Lock()
		defer sb.mu.Unlock()
		sb.resumed = time.Now()
	}
}

// frozen reports whether the sandbox is paused, or was within the last d.
func (sb *Sandbox) frozen(d time.Duration) bool {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	return sb.Paused() || time.Since(sb.resumed) < d
}

// thaw sees to it that a sandbox that may be frozen is not.
func (sb *Sandbox) thaw() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// Of one that was not frozen, or has gone, the engine says so, and all is well.
	_ = sb.c.Engine.Unpause(ctx, sb.spec.Name)
}
