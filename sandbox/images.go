package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
)

// runtimeRepository begins the name of every image that is built for a runtime.
const runtimeRepository = "localhost/drydock/runtime/"

// RuntimeImage is an image on an engine that was built for a runtime.
type RuntimeImage struct {
	// Ref is its name, and ID its content digest. One that has lost its name to a newer
	// build, or never had one, has an empty Ref.
	Ref, ID string
	// Runtime is the name of the runtime; empty where it was built for an Options.Image.
	// Base is the image it was built on.
	Runtime, Base string
	// Created is when it was built. Used is when a sandbox on it last began or ended, or it
	// was made ready by Prebuild or Import; the engine does not know, so that is as this
	// user of this host has seen it, and never before Created.
	Created, Used time.Time
	// Size is in bytes, with what it shares with other images.
	Size int64
	// InUse: there is a container on it, running or not.
	InUse bool
	// Superseded: no Open will ask for it any more, because the catalogue's runtime of that
	// name, or this version of the library, yields another. An image of a runtime that the
	// catalogue does not know is not superseded: it may be in somebody else's.
	Superseded bool
}

// RuntimeImages returns the images on an engine, nil being the default, that were built for
// runtimes, by the runtime's name and the newest of each first. What is superseded the
// catalogue says, nil being drydock.Default.
func RuntimeImages(ctx context.Context, engine Engine, catalog *drydock.Catalog) ([]RuntimeImage, error) {
	images, _, err := runtimeImages(ctx, orDefault(engine), catalog)
	if err != nil {
		return nil, &Error{Op: "list images", Err: err}
	}
	return images, nil
}

// runtimeImages also returns all containers that the engine has.
func runtimeImages(ctx context.Context, engine Engine, catalog *drydock.Catalog) ([]RuntimeImage, []Listed, error) {
	catalog, err := orDefaultCatalog(catalog)
	if err != nil {
		return nil, nil, err
	}
	info, err := engine.Info(ctx)
	if err != nil {
		return nil, nil, err
	}
	listed, err := engine.Images(ctx, LabelKind, "runtime")
	if err != nil {
		return nil, nil, err
	}
	containers, err := engine.List(ctx, "", "")
	if err != nil {
		return nil, nil, err
	}
	yields, err := newYields(catalog, info.Arch)
	if err != nil {
		return nil, nil, err
	}
	used := usedBy(containers, listed)
	var all []RuntimeImage
	for _, l := range listed {
		if l.Ref != "" && !strings.HasPrefix(l.Ref, runtimeRepository) {
			continue // somebody's own, made from one of ours, whose labels it has
		}
		im := RuntimeImage{
			Ref: l.Ref, ID: l.ID, Runtime: l.Labels[LabelRuntime], Base: l.Labels[LabelBase],
			Created: l.Created, Used: lastUse(l.Ref), Size: l.Size, InUse: used[l.ID],
		}
		if im.Used.Before(im.Created) {
			im.Used = im.Created
		}
		im.Superseded = yields.superseded(&im)
		all = append(all, im)
	}
	slices.SortFunc(all, func(a, b RuntimeImage) int {
		return cmp.Or(strings.Compare(a.Runtime, b.Runtime), b.Created.Compare(a.Created), strings.Compare(a.Ref, b.Ref))
	})
	return all, containers, nil
}

// usedBy returns the ids of the images that containers are on. Where an engine does not tell
// the id, it names the image by a name, or by an id or the beginning of one.
func usedBy(containers []Listed, images []ListedImage) map[string]bool {
	const algorithm = "sha256:"
	used := make(map[string]bool)
	for _, c := range containers {
		if c.ImageID != "" {
			used[c.ImageID] = true
			continue
		}
		if c.Image == "" {
			continue
		}
		id := strings.TrimPrefix(c.Image, algorithm)
		for _, image := range images {
			if c.Image == image.Ref || strings.HasPrefix(strings.TrimPrefix(image.ID, algorithm), id) {
				used[image.ID] = true
			}
		}
	}
	return used
}

// yields knows the images that a catalogue's runtimes have today.
type yields struct {
	arch string
	tags map[string]string // by the runtime's name
}

func newYields(catalog *drydock.Catalog, arch string) (*yields, error) {
	y := &yields{arch, make(map[string]string)}
	for _, r := range catalog.All() {
		im, err := newImage(r, arch)
		if err != nil {
			return nil, err
		}
		y.tags[r.Name] = im.tag
	}
	return y, nil
}

func (y *yields) superseded(im *RuntimeImage) bool {
	if im.Ref == "" {
		return true
	}
	if im.Runtime != "" {
		tag, known := y.tags[im.Runtime]
		return known && tag != im.Ref
	}
	now, err := newImage(drydock.Runtime{Image: im.Base}, y.arch)
	return err == nil && now.tag != im.Ref
}

// PruneOptions say what Prune removes; nil is all defaults.
type PruneOptions struct {
	// Catalog says what is superseded: see RuntimeImage. Default: drydock.Default.
	Catalog *drydock.Catalog
	// UnusedFor removes as well what was not used for so long, by RuntimeImage.Used. Other
	// users and hosts that share the engine are not seen. Default: 0, only what is superseded.
	UnusedFor time.Duration
	// DryRun removes nothing.
	DryRun bool
}

// Prune removes images of runtimes from an engine, nil being the default: those that are
// superseded, and what builds left without a name. Images that a container is on are kept,
// and those that are being built. It returns what it has removed, or with DryRun would
// remove, also beside an error. What is missed is built again by the next Open, also by that
// of another program whose catalogue defines a runtime otherwise. Base images are not touched.
func Prune(ctx context.Context, engine Engine, opts *PruneOptions) ([]RuntimeImage, error) {
	o := PruneOptions{}
	if opts != nil {
		o = *opts
	}
	engine = orDefault(engine)
	if o.UnusedFor < 0 {
		return nil, &Error{Op: "prune", Code: CodeInvalid, Err: fmt.Errorf("unused for %v: it is negative", o.UnusedFor)}
	}
	// Before the images and after them: a build that ends in between has a name then.
	builds, err := engine.List(ctx, LabelKind, "build")
	if err != nil {
		return nil, &Error{Op: "prune", Err: err}
	}
	images, containers, err := runtimeImages(ctx, engine, o.Catalog)
	if err != nil {
		return nil, &Error{Op: "prune", Err: err}
	}
	now := time.Now()
	building := make(map[string]bool)
	for _, c := range append(builds, containers...) {
		if c.Labels[LabelKind] == "build" && !abandoned(c, now) {
			building[c.Name] = true
		}
	}
	var removed []RuntimeImage
	var errs []error
	for _, im := range images {
		old := o.UnusedFor > 0 && now.Sub(im.Used) > o.UnusedFor
		switch {
		case im.InUse || !im.Superseded && !old:
			continue
		case im.Ref == "" && len(building) > 0:
			continue // a builder may be about to name it
		case im.Ref != "" && building[(&image{tag: im.Ref}).lockName()]:
			continue
		}
		if !o.DryRun {
			name := cmp.Or(im.Ref, im.ID)
			err := engine.RemoveImage(ctx, name)
			if errors.Is(err, ErrInUse) {
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

// Export writes the images of the named runtimes of Options.Catalog to w, all of them where
// none are named, as an archive for Import on a host that has no registry, or for "docker
// load". Images that are not on the engine are made ready first, as by Prebuild; where one
// cannot be, nothing is written.
func Export(ctx context.Context, w io.Writer, opts *Options, names ...string) error {
	ready, err := Prebuild(ctx, opts, names...)
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
		return &Error{Op: "export", Code: CodeInvalid, Err: errors.New("the catalogue has no runtime")}
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := orDefault(o.Engine).SaveImages(ctx, w, refs...); err != nil {
		return &Error{Op: "export", Err: err}
	}
	return nil
}

// Import takes the images of an archive that Export wrote, so that Open finds them, also with
// Options.Offline. Of opts, Engine and Catalog count. It returns the images of runtimes that
// the archive had. It is an error, though they are on the engine then, where one is not what
// Open asks for here, because the definition of its runtime, the architecture or the version
// of the library are others than where it was exported; and where there is none.
//
// What is imported is trusted, as the images of a registry are: an archive may name its
// images as it likes.
func Import(ctx context.Context, r io.Reader, opts *Options) ([]RuntimeImage, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	fail := func(err error) error { return &Error{Op: "import", Err: err} }
	engine := orDefault(o.Engine)
	refs, err := engine.LoadImages(ctx, r)
	if err != nil {
		return nil, fail(err)
	}
	for _, ref := range refs {
		markUsed(ref)
	}
	images, _, err := runtimeImages(ctx, engine, o.Catalog)
	if err != nil {
		return nil, fail(err)
	}
	images = slices.DeleteFunc(images, func(im RuntimeImage) bool { return im.Ref == "" || !slices.Contains(refs, im.Ref) })
	if len(images) == 0 {
		return nil, fail(errors.New("the archive has no image of a runtime"))
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

// useRecord is the file whose time is that of an image's last use, or "" where there can be
// none.
func useRecord(ref string) string {
	dir, err := os.UserCacheDir()
	name, ours := strings.CutPrefix(ref, runtimeRepository)
	if err != nil || !ours || strings.ContainsAny(name, `/\`) {
		return ""
	}
	return filepath.Join(dir, "drydock", "used", strings.Replace(name, ":", "@", 1))
}

// markUsed records that an image is used now. Where that fails, Prune takes it for unused
// since it was built, and at worst it is built again.
func markUsed(ref string) {
	file := useRecord(ref)
	if file == "" {
		return
	}
	now := time.Now()
	if os.Chtimes(file, now, now) == nil {
		return
	}
	_ = os.MkdirAll(filepath.Dir(file), 0o700)
	_ = os.WriteFile(file, nil, 0o600)
}

// lastUse is when an image was last used, or the zero time.
func lastUse(ref string) time.Time {
	if info, err := os.Stat(useRecord(ref)); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}

func forgetUse(ref string) {
	if file := useRecord(ref); file != "" {
		_ = os.Remove(file)
	}
}
