package sandbox

import (
	"cmp"
	"context"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// Hibernate takes a Snapshot and closes the sandbox, which then uses no memory; Wake brings it
// back. Its volumes and host directories stay as they are. A sandbox with a WritableRoot is
// CodeUnsupported.
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

// Wake opens a sandbox that Hibernate saved under a name, and removes the snapshot once the
// files are restored. opts are as for Open, without Runtime, Image and Snapshot. Everything but
// the files, such as Mounts and Env, must be given again. If a mount has files at the work dir
// or the home already, that directory is left as it is.
func Wake(ctx context.Context, name string, opts *Options) (*Sandbox, error) {
	sb, err := wake(ctx, name, opts)
	return sb, failure("wake", name, err)
}

func wake(ctx context.Context, name string, opts *Options) (_ *Sandbox, err error) {
	o := orZero(opts)
	o.Snapshot = name
	c, err := o.resolve()
	if err != nil {
		return nil, invalidOptions(err)
	}
	images, err := engine.Require[engine.Images](ctx, c.Engine)
	if err != nil {
		return nil, err
	}
	s, err := findSnapshot(ctx, c.Engine, name)
	if err != nil {
		return nil, err
	}
	if c, err = c.withSnapshot(s); err != nil {
		return nil, err
	}
	var from *Sandbox
	var fromErr error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		from, fromErr = s.carrier(ctx, c)
	}()
	sb, err := c.open(ctx, source{image: s.Base})
	<-opened
	if err = cmp.Or(err, fromErr); err == nil {
		var dirs []string
		if dirs, err = sb.vacantDirs(ctx); err == nil {
			err = sb.restoreCarried(ctx, from, dirs)
		}
	}
	if from != nil {
		from.Close()
	}
	if err != nil {
		closeAll([]*Sandbox{sb})
		return nil, err
	}
	if err := images.RemoveImage(ctx, s.ref); err != nil {
		c.Logger.WarnContext(ctx, "a snapshot could not be removed", "name", name, "error", err)
	}
	return sb, nil
}

// carrier opens a small sandbox on a snapshot's image, from which the snapshot's archives are
// read. It uses the engine and the logger of the configuration like.
func (s *SnapshotInfo) carrier(ctx context.Context, like *config) (*Sandbox, error) {
	c, err := (&Options{Snapshot: s.Name, WorkDir: s.WorkDir, Memory: 64 << 20, Images: like.Images,
		StartTimeout: like.StartTimeout, Logger: like.Logger}).resolve()
	if err != nil {
		return nil, err
	}
	return c.open(ctx, source{image: s.ref})
}
