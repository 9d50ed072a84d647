package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// One process at a time builds an image, also where several hosts share an engine: whoever
// does holds a container of a name that is the image's, which is never started. The engine
// gives a name to one container only.

const (
	// lockPause is how often one that waits looks.
	lockPause = 500 * time.Millisecond
	// lockSlack is how much longer than its build a lock is believed.
	lockSlack = time.Minute
)

// lockName is that of the container.
func (im *image) lockName() string {
	return "drydock-build-" + im.tag[strings.LastIndexByte(im.tag, ':')+1:]
}

// lock takes the lock of the image, or waits until another process has built it: then unlock
// is nil. before is the id of the image that is to be replaced, if any.
func (im *image) lock(ctx context.Context, c *config, before string, progress *progress) (unlock func(), err error) {
	name, e := im.lockName(), c.Engine
	labels := map[string]string{
		LabelFormat: labelFormat, LabelKind: "build", LabelOwner: owner(), LabelCreated: time.Now().UTC().Format(time.RFC3339),
		LabelExpires: time.Now().Add(c.Build.Timeout + lockSlack).UTC().Format(time.RFC3339),
	}
	unlock = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err := e.Remove(ctx, name); err != nil {
			c.Logger.WarnContext(ctx, "a build's lock could not be removed", "name", name, "error", err)
		}
	}
	for said := false; ; {
		taken, err := e.Reserve(ctx, name, im.runtime.Base(), labels)
		if err != nil {
			return nil, err
		}
		// The one that held it before may just have been done.
		there, err := e.Image(ctx, im.tag)
		missing := errors.Is(err, ErrNoImage) || err == nil && there.ID == before
		if taken && missing {
			return unlock, nil
		}
		if taken {
			unlock()
		}
		if !missing {
			return nil, err
		}
		if err := im.breakLock(ctx, c); err != nil {
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

// breakLock removes the lock of a process that is no more.
func (im *image) breakLock(ctx context.Context, c *config) error {
	all, err := c.Engine.List(ctx, LabelKind, "build")
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Name == im.lockName() && abandoned(l, time.Now()) {
			if err := c.Engine.Remove(ctx, l.ref()); err != nil {
				return fmt.Errorf("the lock of a build that ended: %w", err)
			}
		}
	}
	return nil
}
