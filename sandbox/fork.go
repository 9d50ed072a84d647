package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// errWritable is why what only files can be put back to is refused.
var errWritable = &wire.Error{Code: wire.CodeUnsupported, Text: "its root can be written to, and would not be the same: take a Snapshot and open that"}

// Fork opens n sandboxes like this one, each with a copy of the files of its work dir and its
// home, as Snapshot saves them, with its limit. The work dir of a copy is in memory, also where
// that of the original is a mount; other mounts are shared. They are independent of each other
// and of the original. A sandbox with a WritableRoot, or that was attached to, is unsupported: take
// a Snapshot and open that.
func (sb *Sandbox) Fork(ctx context.Context, n int) ([]*Sandbox, error) {
	forks, err := sb.fork(ctx, n)
	return forks, sb.failure("fork", "", err)
}

func (sb *Sandbox) fork(ctx context.Context, n int) ([]*Sandbox, error) {
	const most = 1000
	switch {
	case n < 1 || n > most:
		return nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("%d copies: write 1 to %d", n, most)}
	case sb.spec.Image == "":
		return nil, &wire.Error{Code: wire.CodeUnsupported, Text: "it was attached to, and not all of its options are known: take a Snapshot and open that"}
	case sb.c.WritableRoot:
		return nil, errWritable
	}
	files, err := sb.save(ctx)
	if err != nil {
		return nil, err
	}
	defer files.remove()
	c := *sb.c
	c.Name, c.ready = "", cmp.Or(c.base, c.ready)
	c.Mounts = slices.DeleteFunc(slices.Clone(c.Mounts), func(m Mount) bool { return path.Clean(m.Target) == c.WorkDir })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	forks := make([]*Sandbox, n)
	// More at a time would make an engine slower, not faster.
	slots := make(chan struct{}, 4)
	var all sync.WaitGroup
	for i := range forks {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			own := c
			fork, err := own.open(ctx)
			if err == nil {
				forks[i] = fork
				err = fork.unpackFiles(ctx, files)
			}
			if err != nil {
				cancel(err) // the first is the cause
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

func closeAll(sandboxes []*Sandbox) {
	var all sync.WaitGroup
	for _, sb := range sandboxes {
		if sb != nil {
			all.Go(func() { sb.Close() })
		}
	}
	all.Wait()
}

func (sb *Sandbox) unpackFiles(ctx context.Context, files savedFiles) error {
	for i, dir := range sb.savedDirs() {
		r, err := files.reader(i)
		if err == nil {
			err = sb.unpackFrom(ctx, dir, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Rollback puts the files of the work dir and of the home back to what a snapshot has of
// them. It first ends every command, job and interpreter, and empties both, and /tmp, but for
// what other mounts have there. Where it fails in between, some files are missing. Nothing else
// should use the sandbox meanwhile: files that are written stay, or are replaced.
func (sb *Sandbox) Rollback(ctx context.Context, name string) error {
	return sb.failure("rollback", name, sb.rollback(ctx, name))
}

func (sb *Sandbox) rollback(ctx context.Context, name string) error {
	_, writable, err := sb.baseImage(ctx)
	if err != nil {
		return err
	}
	if writable {
		return errWritable
	}
	s, err := findSnapshot(ctx, sb.c.Engine, name)
	if err != nil {
		return err
	}
	// The files of one snapshot, and not some of two.
	done, err := builds.acquire(ctx, sb.spec.Name)
	if err != nil {
		return err
	}
	defer done()
	from, err := s.carrier(ctx, sb.c)
	if err != nil {
		return err
	}
	defer from.Close()
	m := &wire.Reset{}
	for _, dir := range append(sb.savedDirs(), "/tmp") {
		m.Dirs = append(m.Dirs, []byte(dir))
	}
	for _, ch := range sb.userChannels() {
		if err := ch.Do(ctx, wire.OpReset, &wire.Reset{}, nil); err != nil {
			return err
		}
	}
	if err := sb.do(ctx, wire.OpReset, m, nil); err != nil {
		return err
	}
	return sb.unpackCarried(ctx, from, sb.savedDirs())
}

// carrier opens a sandbox on a snapshot's image for nothing but to read its archives, with
// the engine and the logger of a configuration.
func (s *SnapshotInfo) carrier(ctx context.Context, like *config) (*Sandbox, error) {
	c, err := (&Options{Snapshot: s.Name, WorkDir: s.WorkDir, Memory: 64 << 20, Catalog: like.Catalog,
		Engine: like.Engine, StartTimeout: like.StartTimeout, Logger: like.Logger}).resolve()
	if err != nil {
		return nil, err
	}
	c.ready = s.ref
	return c.open(ctx)
}

// unpackCarried unpacks those archives of a carrier that are of dirs.
func (sb *Sandbox) unpackCarried(ctx context.Context, from *Sandbox, dirs []string) error {
	for i, dir := range sb.savedDirs() {
		if !slices.Contains(dirs, dir) {
			continue
		}
		call, err := from.ch.Start(&channel.Request{Op: wire.OpRead,
			Args: &wire.Read{Path: []byte(savedDir + saved[i]), Limit: math.MaxInt64}})
		if err != nil {
			return from.failure("read", saved[i], err)
		}
		if err := sb.unpackFrom(ctx, dir, call.Stream); err != nil {
			return err
		}
		if err := call.Result(ctx, nil); err != nil {
			return from.failure("read", saved[i], err)
		}
	}
	return nil
}

// Hibernate is Snapshot and then Close: nothing of the sandbox is in memory any more, and
// Wake brings it back. Its volumes and host directories stay as they are. A sandbox with a
// WritableRoot is unsupported.
func (sb *Sandbox) Hibernate(ctx context.Context, name string) error {
	_, writable, err := sb.baseImage(ctx)
	if err == nil && writable {
		err = errWritable
	}
	if err == nil {
		err = sb.snapshot(ctx, name)
	}
	if err != nil {
		return sb.failure("hibernate", name, err)
	}
	return sb.Close()
}

// Wake opens what Hibernate saved under a name, and removes the snapshot when its files are
// back. opts are as for Open, without Runtime, Image and Snapshot; what the sandbox had beside
// its files, such as its Mounts and its Env, is to be given again. A work dir or home that a
// mount already has files for is left as it is.
func Wake(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	sb, err := wake(ctx, name, opts)
	if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
		err = &Error{Op: "wake", Name: name, Err: err}
	}
	return sb, err
}

func wake(ctx context.Context, name string, opts *Options) (_ *Sandbox, err error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	o.Snapshot = name
	c, err := o.resolve()
	if err != nil {
		return nil, &Error{Op: "wake", Name: name, Code: CodeInvalid, Err: err}
	}
	s, err := c.useSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	c.ready, c.Snapshot = s.Base, ""
	var from *Sandbox
	var fromErr error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		from, fromErr = s.carrier(ctx, c)
	}()
	sb, err := c.open(ctx)
	<-opened
	if err = cmp.Or(err, fromErr); err == nil {
		var dirs []string
		if dirs, err = sb.vacantDirs(ctx); err == nil {
			err = sb.unpackCarried(ctx, from, dirs)
		}
	}
	if from != nil {
		from.Close()
	}
	if err != nil {
		closeAll([]*Sandbox{sb})
		return nil, err
	}
	if err := c.Engine.RemoveImage(ctx, s.ref); err != nil {
		c.Logger.WarnContext(ctx, "a snapshot could not be removed", "name", name, "error", err)
	}
	return sb, nil
}
