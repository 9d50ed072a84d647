package image_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// own is an engine that shows of the images of runtimes those of one test, so that it prunes
// nobody else's.
type own struct {
	*engine.CLI
	prefix string // of the runtimes' names
}

func (o *own) ListImages(ctx context.Context, label, value string) ([]engine.TaggedImage, error) {
	all, err := o.CLI.ListImages(ctx, label, value)
	return slices.DeleteFunc(all, func(l engine.TaggedImage) bool {
		return !strings.HasPrefix(l.Labels[engine.LabelRuntime], o.prefix)
	}), err
}

// List leaves out the locks of builds, of which the test has none under way.
func (o *own) List(ctx context.Context, label, value string) ([]engine.Object, error) {
	all, err := o.CLI.List(ctx, label, value)
	return slices.DeleteFunc(all, func(c engine.Object) bool { return c.Labels[engine.LabelKind] == engine.KindBuild }), err
}

// ownRuntimes is an engine for a test, and what makes runtimes of names of its own, whose
// images are removed after it.
func ownRuntimes(t *testing.T) (e *own, runtime func(name, command string) drydock.Runtime) {
	t.Helper()
	real, _ := enginetest.Engine(t)
	prefix := fmt.Sprintf("test-%d-%d-", os.Getpid(), time.Now().UnixNano())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	e = &own{real, prefix}
	t.Cleanup(func() {
		ctx := context.Background()
		all, err := e.ListImages(ctx, engine.LabelKind, engine.KindRuntime)
		if err != nil {
			t.Error(err)
		}
		for _, l := range all {
			name := l.Ref
			if name == "" {
				name = l.ID
			}
			if err := e.RemoveImage(ctx, name); err != nil {
				t.Error(err)
			}
		}
	})
	return e, func(name, command string) drydock.Runtime {
		return drydock.Runtime{Name: prefix + name, BaseImage: enginetest.Busybox, SetupCommands: []string{command + " # " + prefix}}
	}
}

func catalogOf(t *testing.T, runtimes ...drydock.Runtime) *drydock.Catalog {
	t.Helper()
	c, err := new(drydock.Catalog).With(runtimes...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPrebuild(t *testing.T) {
	is := is.New(t)
	e, runtime := ownRuntimes(t)
	ctx := context.Background()
	a, bad, c := runtime("a", "echo a > /a"), runtime("bad", "echo why; false"), runtime("c", "echo c > /c")
	var events []image.Progress
	images := &image.Builder{Catalog: catalogOf(t, a, bad, c), Engine: e, Progress: func(p image.Progress) { events = append(events, p) }}

	_, err := images.Prebuild(ctx, a.Name, "nope", "")
	is.True(errors.Is(err, drydock.ErrUnknownRuntime)) // before anything is built
	is.Equal(len(events), 0)

	offline := *images
	offline.Offline = true
	all, err := offline.Prebuild(ctx, a.Name)
	is.True(errors.Is(err, sandbox.ErrOffline))
	is.Equal(len(all), 1)
	is.True(errors.Is(all[0].Err, sandbox.ErrOffline))

	all, err = images.Prebuild(ctx)
	var failed *image.BuildError
	is.True(errors.As(err, &failed))
	is.Equal(failed.Image, "runtime "+bad.Name)
	is.Equal(len(all), 3)
	for i, r := range []drydock.Runtime{a, bad, c} {
		is.Equal(all[i].Runtime, r.Name)
		is.Equal(all[i].Built, i != 1)
		is.Equal(all[i].Err != nil, i == 1)
		is.Equal(all[i].Size > 1<<20, i != 1)
		is.True(all[i].Duration > 0)
	}
	done := 0
	for _, p := range events {
		if p.Done {
			done++
		}
	}
	is.Equal(done, 3) // all were heard of

	all, err = offline.Prebuild(ctx, c.Name, a.Name)
	is.NoErr(err)
	is.Equal(all[0].Runtime, c.Name)
	is.True(!all[0].Built && !all[1].Built) // they were there
	sb := enginetest.Open(t, sandbox.Options{Runtime: c.Name, Images: &offline})
	is.Equal(sb.Image(), all[0].Image) // what Open asks for

	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("enough"))
	all, err = images.Prebuild(ended, a.Name, c.Name)
	is.True(err != nil && len(all) == 2)
	is.True(strings.Contains(all[1].Err.Error(), "enough"))
}
