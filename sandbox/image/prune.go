package image

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

// PruneOptions say what Prune removes; nil is all defaults.
type PruneOptions struct {
	// UnusedFor also removes images that were not used for so long, by RuntimeImage.Used.
	// Other users and hosts that share the engine are not seen. Default: 0, which removes
	// superseded images only.
	UnusedFor time.Duration
	// DryRun removes nothing.
	DryRun bool
}

// Prune removes images of runtimes from the engine: those that are superseded, and those
// without a name, which builds left. It keeps images that a container is on or that are being built.
// It returns the images that it has removed, or with DryRun would remove, also beside an
// error. The next Open builds an image again if it misses one, and so does another program
// whose catalogue defines a runtime otherwise. Base images are not touched.
func (b *Builder) Prune(ctx context.Context, opts *PruneOptions) ([]RuntimeImage, error) {
	o := PruneOptions{}
	if opts != nil {
		o = *opts
	}
	if o.UnusedFor < 0 {
		return nil, &Error{Op: "prune", Err: invalid("unused for %v: it is negative", o.UnusedFor)}
	}
	b, err := b.Resolve()
	if err != nil {
		return nil, &Error{Op: "prune", Err: err}
	}
	e, err := engine.Require[engine.Images](ctx, b.Engine)
	if err != nil {
		return nil, &Error{Op: "prune", Err: err}
	}
	// Before the images and after them: a build that ends in between has a name then.
	builds, err := b.Engine.List(ctx, engine.LabelKind, engine.KindBuild)
	if err != nil {
		return nil, &Error{Op: "prune", Err: err}
	}
	images, containers, err := b.list(ctx)
	if err != nil {
		return nil, &Error{Op: "prune", Err: err}
	}
	now := time.Now()
	building := make(map[string]bool)
	for _, c := range append(builds, containers...) {
		if c.Labels[engine.LabelKind] == engine.KindBuild && !owned.Abandoned(c, now) {
			building[c.Name] = true
		}
	}
	var removed []RuntimeImage
	var errs []error
	for _, im := range images {
		unused := o.UnusedFor > 0 && now.Sub(im.Used) > o.UnusedFor
		switch {
		case im.InUse || !im.Superseded && !unused:
			continue
		case im.Ref == "" && len(building) > 0:
			continue // a builder may be about to name it
		case im.Ref != "" && building[lockName(im.Ref)]:
			continue
		}
		if !o.DryRun {
			name := cmp.Or(im.Ref, im.ID)
			err := e.RemoveImage(ctx, name)
			if errors.Is(err, engine.ErrInUse) {
				continue // since just now
			}
			if err != nil {
				errs = append(errs, &Error{Op: "prune", Name: name, Err: err})
				continue
			}
			forgetUse(im.Ref)
		}
		removed = append(removed, im)
	}
	return removed, errors.Join(errs...)
}
