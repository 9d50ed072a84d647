package image

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// Export writes the images of the named runtimes of the catalogue to w, or of all if none
// are named, as an archive for Import on a host that has no registry, or for "docker load".
// Images that are not on the engine are made ready first, as by Prebuild; if one cannot be,
// nothing is written.
func (b *Builder) Export(ctx context.Context, w io.Writer, names ...string) error {
	ready, err := b.Prebuild(ctx, names...)
	if err != nil {
		return err
	}
	var refs []string
	for _, p := range ready {
		if !slices.Contains(refs, p.Image) {
			refs = append(refs, p.Image)
		}
	}
	if len(refs) == 0 {
		return &Error{Op: "export", Err: invalid("the catalogue has no runtime")}
	}
	if err := b.save(ctx, w, refs); err != nil {
		return &Error{Op: "export", Err: err}
	}
	return nil
}

func (b *Builder) save(ctx context.Context, w io.Writer, refs []string) error {
	b, err := b.Resolve()
	if err != nil {
		return err
	}
	e, err := engine.Require[engine.ImageArchiver](ctx, b.Engine)
	if err != nil {
		return err
	}
	return e.SaveImages(ctx, w, refs...)
}

// Import takes the images of an archive that Export wrote, so that sandbox.Open finds them,
// also with Builder.Offline. It returns the images of runtimes that the archive had. An
// archive without any is an error. So is an image that Open does not ask for here, though it
// is on the engine then: the definition of its runtime, the architecture or the version of
// the library differ from those of the export.
//
// An archive is trusted as the images of a registry are: it may name its images as it likes.
func (b *Builder) Import(ctx context.Context, r io.Reader) ([]RuntimeImage, error) {
	images, err := b.load(ctx, r)
	if err != nil {
		return nil, &Error{Op: "import", Err: err}
	}
	var errs []error
	for _, im := range images {
		if im.Superseded {
			errs = append(errs, &Error{Op: "import", Name: im.Ref, Err: errors.New(
				"it is of no use here: the runtime's definition, the architecture or the version of the library are others than where it was exported")})
		}
	}
	return images, errors.Join(errs...)
}

func (b *Builder) load(ctx context.Context, r io.Reader) ([]RuntimeImage, error) {
	b, err := b.Resolve()
	if err != nil {
		return nil, err
	}
	e, err := engine.Require[engine.ImageArchiver](ctx, b.Engine)
	if err != nil {
		return nil, err
	}
	refs, err := e.LoadImages(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		MarkUsed(ref)
	}
	images, _, err := b.list(ctx)
	if err != nil {
		return nil, err
	}
	images = slices.DeleteFunc(images, func(im RuntimeImage) bool { return im.Ref == "" || !slices.Contains(refs, im.Ref) })
	if len(images) == 0 {
		return nil, errors.New("the archive has no image of a runtime")
	}
	return images, nil
}
