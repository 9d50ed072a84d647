package image

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// RuntimeImage is an image on an engine that was built for a runtime.
type RuntimeImage struct {
	// Ref is its name. It is empty if the image has lost its name to a newer build, or never
	// had one.
	Ref string
	// ID is its content digest.
	ID string
	// Runtime is the name of the runtime. It is empty if the image was built for an
	// Options.Image of package sandbox.
	Runtime string
	// Base is the reference of the image that it was built on.
	Base string
	// Created is the time of its build.
	Created time.Time
	// Used is when a sandbox on it last began or ended, or when Prebuild or Import made it
	// ready. The engine does not know that: it is as this user of this host has seen it, and
	// never before Created.
	Used time.Time
	// Size is in bytes, with the parts that it shares with other images.
	Size int64
	// InUse is set if a container is on it, running or not.
	InUse bool
	// Superseded is set if no sandbox.Open will ask for it any more, because the catalogue's
	// runtime of that name, or this version of the library, yields another image. An image of
	// a runtime that the catalogue does not know is not superseded: another catalogue may
	// know it.
	Superseded bool
}

// Images returns the images on the engine that were built for runtimes, by the runtime's
// name and the newest of each first. The catalogue decides what is superseded.
func (b *Builder) Images(ctx context.Context) ([]RuntimeImage, error) {
	b, err := b.Resolve()
	if err != nil {
		return nil, &Error{Op: "list images", Err: err}
	}
	images, _, err := b.list(ctx)
	if err != nil {
		return nil, &Error{Op: "list images", Err: err}
	}
	return images, nil
}

// list also returns all containers that the engine has.
func (b *Builder) list(ctx context.Context) ([]RuntimeImage, []engine.Object, error) {
	e, err := engine.Require[engine.Images](ctx, b.Engine)
	if err != nil {
		return nil, nil, err
	}
	info, err := b.Engine.Info(ctx)
	if err != nil {
		return nil, nil, err
	}
	listed, err := e.ListImages(ctx, engine.LabelKind, engine.KindRuntime)
	if err != nil {
		return nil, nil, err
	}
	containers, err := b.Engine.List(ctx, "", "")
	if err != nil {
		return nil, nil, err
	}
	current, err := newCurrentTags(b.Catalog, info.Arch)
	if err != nil {
		return nil, nil, err
	}
	used := usedBy(containers, listed)
	var all []RuntimeImage
	for _, l := range listed {
		if l.Ref != "" && !strings.HasPrefix(l.Ref, repository) {
			continue // somebody's own, made from one of ours, whose labels it has
		}
		im := RuntimeImage{
			Ref: l.Ref, ID: l.ID, Runtime: l.Labels[engine.LabelRuntime], Base: l.Labels[engine.LabelBase],
			Created: l.Created, Used: lastUse(l.Ref), Size: l.Size, InUse: used[l.ID],
		}
		if im.Used.Before(im.Created) {
			im.Used = im.Created
		}
		im.Superseded = current.supersede(&im)
		all = append(all, im)
	}
	slices.SortFunc(all, func(a, b RuntimeImage) int {
		return cmp.Or(strings.Compare(a.Runtime, b.Runtime), b.Created.Compare(a.Created), strings.Compare(a.Ref, b.Ref))
	})
	return all, containers, nil
}

// usedBy returns the ids of the images that containers are on. An engine that does not tell
// the id names the image by a name, or by an id or the beginning of one.
func usedBy(containers []engine.Object, images []engine.TaggedImage) map[string]bool {
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

// currentTags maps each runtime of a catalogue to the reference of its image.
type currentTags struct {
	arch string
	tags map[string]string // by the runtime's name
}

func newCurrentTags(catalog *drydock.Catalog, arch string) (*currentTags, error) {
	c := &currentTags{arch, make(map[string]string)}
	for _, r := range catalog.All() {
		ref, err := Reference(r, arch)
		if err != nil {
			return nil, err
		}
		c.tags[r.Name] = ref
	}
	return c, nil
}

// supersede reports whether another image has taken the place of im.
func (c *currentTags) supersede(im *RuntimeImage) bool {
	if im.Ref == "" {
		return true
	}
	if im.Runtime != "" {
		ref, known := c.tags[im.Runtime]
		return known && ref != im.Ref
	}
	ref, err := Reference(drydock.Runtime{Image: im.Base}, c.arch)
	return err == nil && ref != im.Ref
}
