package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
)

// source is the runtime, image or snapshot that a session is opened on. The other two are
// empty.
type source struct{ runtime, image, snapshot string }

// sourceOf returns the source in the options of a sandbox.
func sourceOf(o *sandbox.Options) source { return source{o.Runtime, o.Image, o.Snapshot} }

func (s source) String() string {
	var kinds []string
	for _, kind := range []struct{ word, name string }{{"runtime", s.runtime}, {"image", s.image}, {"snapshot", s.snapshot}} {
		if kind.name != "" {
			kinds = append(kinds, kind.word+" "+kind.name)
		}
	}
	if kinds == nil {
		return "nothing"
	}
	return strings.Join(kinds, " and ")
}

// check refuses a source of more than one kind.
func (s source) check() error {
	named := 0
	for _, name := range []string{s.runtime, s.image, s.snapshot} {
		if name != "" {
			named++
		}
	}
	if named > 1 {
		return errors.New("more than one of Runtime, Image and Snapshot are set: give one of them")
	}
	return nil
}

// source returns the source of a session that a Get opens: that of the Get, else that of the
// manager's options, else the default runtime.
func (c *config) source(o *GetOptions) source {
	for _, s := range []source{o.source(), sourceOf(&c.Sandbox)} {
		if s != (source{}) {
			return s
		}
	}
	return source{runtime: sandbox.DefaultRuntime}
}

// workDir returns the work dir of a sandbox that is opened with these options.
func (m *Manager) workDir(ctx context.Context, o *sandbox.Options) (string, error) {
	if o.WorkDir != "" {
		return o.WorkDir, nil
	}
	if o.Snapshot != "" {
		return m.snapshotWorkDir(ctx, o)
	}
	images, err := o.Images.Resolve()
	if err != nil {
		return "", err
	}
	var r drydock.Runtime
	if o.Image != "" {
		r, err = images.Catalog.Resolve(drydock.Runtime{Image: o.Image})
	} else {
		r, err = images.Catalog.Runtime(o.Runtime)
	}
	return r.WorkDir, err
}

// snapshotWorkDir asks the engine for the work dir that a snapshot was saved with.
func snapshotWorkDir(ctx context.Context, o *sandbox.Options) (string, error) {
	e := o.Engine
	if e == nil && o.Images != nil {
		e = o.Images.Engine
	}
	all, err := sandbox.Snapshots(ctx, e)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if s.Name == o.Snapshot {
			return s.WorkDir, nil
		}
	}
	return "", fmt.Errorf("%w: there is no snapshot %s", sandbox.ErrNoImage, o.Snapshot)
}
