package sandbox

import (
	"context"
	"errors"
	"time"
)

// Prebuilt is what Prebuild did for a runtime.
type Prebuilt struct {
	// Runtime is its name. StandIn says which image stands in for its own on this host, or is
	// empty.
	Runtime, StandIn string
	// Image is the reference of its image, and Size that image's in bytes, with what it
	// shares with others; 0 where there is none.
	Image string
	Size  int64
	// Built is set where it was built just now, by this process or another, and not where
	// it was there already.
	Built bool
	// Duration is what making it ready took.
	Duration time.Duration
	// Err is why it is not ready, or nil.
	Err error
}

// Prebuild makes the images of runtimes ready, so that Open of these names finds them: all
// runtimes of Options.Catalog where none are named. No sandbox is opened. They are built one
// at a time, since each build uses what there is of cpus and network. One that fails does not
// keep the others back: the error joins those of all, and each is in its result as well.
// When ctx ends, so does the build under way, and the rest fail with its cause.
//
// Of opts, Catalog, Engine, Offline, Build, Progress and Logger count. A name that the
// catalogue does not know is refused before anything is built.
func Prebuild(ctx context.Context, opts *Options, names ...string) ([]Prebuilt, error) {
	o, names, err := ofRuntimes(opts, names)
	if err != nil {
		return nil, &Error{Op: "prebuild", Code: CodeInvalid, Err: err}
	}
	var configs []*config
	var errs []error
	for _, name := range names {
		o.Runtime = name
		c, err := o.resolve()
		if name == "" { // Open takes it for the default
			_, err = o.Catalog.Runtime(name)
		}
		if err != nil {
			errs = append(errs, &Error{Op: "prebuild", Code: CodeInvalid, Err: err})
		}
		configs = append(configs, c)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var all []Prebuilt
	for _, c := range configs {
		p := Prebuilt{Runtime: c.runtime.Name, StandIn: c.runtime.StandIn.String()}
		begin := time.Now()
		if err := c.prebuild(ctx, &p); err != nil {
			p.Err = &Error{Op: "prebuild", Name: p.Runtime, Err: err}
		}
		p.Duration = time.Since(begin)
		all, errs = append(all, p), append(errs, p.Err)
	}
	return all, errors.Join(errs...)
}

// ofRuntimes returns those options that count for runtimes alone, with a catalogue and an
// engine, and the names of all its runtimes where none are named.
func ofRuntimes(opts *Options, names []string) (o Options, _ []string, err error) {
	if opts != nil {
		o = Options{Catalog: opts.Catalog, Engine: opts.Engine, Offline: opts.Offline, Build: opts.Build,
			Progress: opts.Progress, Logger: opts.Logger}
	}
	o.Engine = orDefault(o.Engine)
	if o.Catalog, err = orDefaultCatalog(o.Catalog); err != nil {
		return o, nil, err
	}
	if len(names) == 0 {
		for _, r := range o.Catalog.All() {
			names = append(names, r.Name)
		}
	}
	return o, names, nil
}

func (c *config) prebuild(ctx context.Context, p *Prebuilt) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	info, err := c.Engine.Info(ctx)
	if err != nil {
		return err
	}
	im, err := newImage(c.runtime, info.Arch)
	if err != nil {
		return err
	}
	p.Image = im.tag
	before, err := c.Engine.Image(ctx, im.tag)
	if err != nil && !errors.Is(err, ErrNoImage) {
		return err
	}
	if err != nil || c.Build.Pull == PullAlways && !c.Offline {
		if err := im.ensure(ctx, c); err != nil {
			return err
		}
	}
	after, err := c.Engine.Image(ctx, im.tag)
	if err != nil {
		return err
	}
	p.Size, p.Built = after.Size, after.ID != before.ID
	markUsed(im.tag)
	return nil
}
