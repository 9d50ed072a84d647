package image

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/fakeengine"
)

// shelf is an engine that has images and containers and runs nothing.
type shelf struct {
	fakeengine.Engine
	images     []engine.TaggedImage
	containers []engine.Object
	loads      []string
	busy       string // an image that a container is on, though no list says so
}

func (s *shelf) Info(context.Context) (engine.Info, error) {
	return engine.Info{Name: "docker", Arch: "amd64"}, nil
}

func (s *shelf) ListImages(_ context.Context, label, value string) (all []engine.TaggedImage, err error) {
	for _, image := range s.images {
		if image.Labels[label] == value {
			all = append(all, image)
		}
	}
	return all, nil
}

func (s *shelf) List(_ context.Context, label, value string) (all []engine.Object, err error) {
	for _, c := range s.containers {
		if label == "" || c.Labels[label] == value {
			all = append(all, c)
		}
	}
	return all, nil
}

func (s *shelf) RemoveImage(_ context.Context, name string) error {
	if name == s.busy {
		return engine.ErrInUse
	}
	s.images = slices.DeleteFunc(s.images, func(l engine.TaggedImage) bool { return l.Ref == name || l.Ref == "" && l.ID == name })
	return nil
}

func (s *shelf) LoadImages(context.Context, io.Reader) ([]string, error) { return s.loads, nil }

// put adds an image of a runtime, built so long ago, and returns its name.
func (s *shelf) put(ref, id, runtime string, age time.Duration) string {
	s.images = append(s.images, engine.TaggedImage{Ref: ref, Image: engine.Image{
		ID: "sha256:" + id, Created: time.Now().Add(-age), Size: 7,
		Labels: map[string]string{engine.LabelKind: "runtime", engine.LabelRuntime: runtime, engine.LabelBase: "debian:12"},
	}})
	return ref
}

// refOf is the reference of the image of a runtime.
func refOf(t *testing.T, r drydock.Runtime) string {
	t.Helper()
	ref, err := Reference(r, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (s *shelf) InspectImage(_ context.Context, ref string) (engine.Image, error) {
	for _, im := range s.images {
		if im.Ref == ref {
			return im.Image, nil
		}
	}
	return engine.Image{}, engine.ErrNoImage
}
