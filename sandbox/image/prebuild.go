package image

import (
	"context"
	"errors"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// Prebuilt is the result of Prebuild for a runtime.
type Prebuilt struct {
	// Runtime is its name.
	Runtime string
	// StandIn says which image stands in for the runtime's own on this host, or is empty.
	StandIn string
	// Image is the reference of its image.
	Image string
	// Size is that of the image in bytes, with the parts that it shares with others; 0 if
	// there is no image.
	Size int64
	// Built is set if it was built just now, by this process or another.
	Built bool
	// Duration is the time that making it ready took.
	Duration time.Duration
	// Err is why it is not ready, or nil.
	Err error
}

// Prebuild makes the images of runtimes ready, so that sandbox.Open of these names finds
// them. If none are named it takes all runtimes of the catalogue. They are built one at a
// time, since each build uses all cpus and the network. If one fails the others are built
// all the same: the error joins the errors of all, and each is in its result as well. When
// ctx ends, so does the build under way, and the rest fail with its cause.
//
// A name that the catalogue does not know is refused before anything is built.
func (b *Builder) Prebuild(ctx context.Context, names ...string) ([]Prebuilt, error) {
	b, err := b.Resolve()
	if err != nil {
		return nil, &Error{Op: "prebuild", Err: err}
	}
	var runtimes []drydock.Runtime
	var errs []error
	for _, name := range b.runtimes(names) {
		r, err := b.Catalog.Runtime(name)
		if err != nil {
			errs = append(errs, &Error{Op: "prebuild", Err: &invalidError{err}})
		}
		runtimes = append(runtimes, r)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var all []Prebuilt
	for _, r := range runtimes {
		p := Prebuilt{Runtime: r.Name, StandIn: r.StandIn.String()}
		begin := time.Now()
		if err := b.prebuild(ctx, r, &p); err != nil {
			p.Err = &Error{Op: "prebuild", Name: p.Runtime, Err: err}
		}
		p.Duration = time.Since(begin)
		all, errs = append(all, p), append(errs, p.Err)
	}
	return all, errors.Join(errs...)
}

func (b *Builder) prebuild(ctx context.Context, r drydock.Runtime, p *Prebuilt) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	images, err := engine.Require[engine.Images](ctx, b.Engine)
	if err != nil {
		return err
	}
	info, err := b.Engine.Info(ctx)
	if err != nil {
		return err
	}
	if p.Image, err = Reference(r, info.Arch); err != nil {
		return err
	}
	before, err := images.InspectImage(ctx, p.Image)
	if err != nil && !errors.Is(err, engine.ErrNoImage) {
		return err
	}
	if err != nil || b.Pull == PullAlways && !b.Offline {
		if err := b.Ensure(ctx, r); err != nil {
			return err
		}
	}
	after, err := images.InspectImage(ctx, p.Image)
	if err != nil {
		return err
	}
	p.Size, p.Built = after.Size, after.ID != before.ID
	MarkUsed(p.Image)
	return nil
}
