package sandbox

import (
	"context"
	"slices"
	"sync"
)

// errWritable refuses Fork, Rollback and Hibernate on a writable root: they restore the work
// dir and the home only.
var errWritable = unsupported("it has a WritableRoot, whose files would not be restored: take a Snapshot and open that")

// Fork opens n sandboxes like this one, 1 to 1000. Each gets a copy of the files of the work dir
// and the home, which are saved as by Snapshot and with its limit. The work dir of a copy is a
// tmpfs, even if that of the original is a mount; other mounts are shared. Apart from those the
// copies are independent of each other and of the original. If one fails, none is left open.
//
// A sandbox that has a WritableRoot or was adopted is CodeUnsupported: take a Snapshot and open
// that.
func (sb *Sandbox) Fork(ctx context.Context, n int) ([]*Sandbox, error) {
	forks, err := sb.fork(ctx, n)
	return forks, sb.failure("fork", "", err)
}

func (sb *Sandbox) fork(ctx context.Context, n int) ([]*Sandbox, error) {
	const maxForks = 1000
	switch {
	case n < 1 || n > maxForks:
		return nil, invalid("%d copies: give 1 to %d", n, maxForks)
	case sb.spec.Image == "":
		return nil, unsupported("it was adopted, and not all of its options are known: take a Snapshot and open that")
	case sb.config.WritableRoot:
		return nil, errWritable
	}
	files, err := sb.save(ctx)
	if err != nil {
		return nil, err
	}
	defer files.remove()
	c := sb.config.fork()
	from := source{image: sb.base}
	if c.Snapshot == "" {
		from = source{} // the runtime's image, which is built if it is gone
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	forks := make([]*Sandbox, n)
	// An engine does not start more at a time any faster.
	slots := make(chan struct{}, 4)
	var all sync.WaitGroup
	for i := range forks {
		all.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return
			}
			fork, err := c.open(ctx, from)
			if err == nil {
				forks[i] = fork
				err = fork.restoreFrom(ctx, files)
			}
			if err != nil {
				cancel(err) // the first error becomes the cause
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		closeAll(forks)
		return nil, err
	}
	return forks, nil
}

// fork returns the configuration of a copy, with a name of its own and its work dir in memory.
func (c *config) fork() *config {
	f := *c
	f.Name = ""
	f.Mounts = slices.DeleteFunc(slices.Clone(c.Mounts), func(m Mount) bool { return m.Target == c.WorkDir })
	return &f
}

func closeAll(sandboxes []*Sandbox) {
	var all sync.WaitGroup
	for _, sb := range sandboxes {
		if sb != nil {
			all.Go(func() { sb.Close() })
		}
	}
	all.Wait()
}
