package image

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

// One process at a time builds an image, also if several hosts share an engine: whoever does
// holds a container of a name that is the image's, which is never started. The engine gives a
// name to one container only.

const (
	// lockPause is the time between two looks of a process that waits.
	lockPause = 500 * time.Millisecond
	// lockSlack is how much longer than its build a lock is believed.
	lockSlack = time.Minute
)

// lockName is the name of the container that locks the build of an image.
func lockName(ref string) string {
	return "drydock-build-" + ref[strings.LastIndexByte(ref, ':')+1:]
}

// lock takes the lock of the image, or waits until another process has built it: then unlock
// is nil. before is the id of the image that is to be replaced, if any.
func (b *build) lock(ctx context.Context, before string, progress *progress) (unlock func(), err error) {
	name := lockName(b.ref)
	labels := owned.Labels(engine.KindBuild)
	labels[engine.LabelExpires] = time.Now().Add(b.Timeout + lockSlack).UTC().Format(time.RFC3339)
	unlock = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err := b.Engine.Remove(ctx, name); err != nil {
			b.Logger.WarnContext(ctx, "a build's lock could not be removed", "name", name, "error", err)
		}
	}
	for said := false; ; {
		taken, err := b.engine.Reserve(ctx, name, b.runtime.Base(), labels)
		if err != nil {
			return nil, err
		}
		// The process that held it before may just have been done.
		now, err := b.engine.InspectImage(ctx, b.ref)
		missing := errors.Is(err, engine.ErrNoImage) || err == nil && now.ID == before
		if taken && missing {
			return unlock, nil
		}
		if taken {
			unlock()
		}
		if !missing {
			return nil, err
		}
		if err := b.breakLock(ctx); err != nil {
			return nil, err
		}
		if !said {
			progress.say("another process builds it")
			said = true
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// breakLock removes the lock of a process that has ended.
func (b *build) breakLock(ctx context.Context) error {
	all, err := b.Engine.List(ctx, engine.LabelKind, engine.KindBuild)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Name == lockName(b.ref) && owned.Abandoned(o, time.Now()) {
			if err := b.Engine.Remove(ctx, o.Ref()); err != nil {
				return fmt.Errorf("the lock of a build that ended: %w", err)
			}
		}
	}
	return nil
}
