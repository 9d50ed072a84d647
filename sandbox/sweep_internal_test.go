package sandbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/fakeengine"
)

func TestStaleRoot(t *testing.T) {
	is := is.New(t)
	now := time.Now()
	is.True(staleRoot(engine.Image{Created: now.Add(-2 * time.Hour)}, now))
	is.True(!staleRoot(engine.Image{Created: now.Add(-time.Minute)}, now))
	is.True(!staleRoot(engine.Image{}, now)) // not known
}

// structEngine is an engine that cannot be compared.
type structEngine struct {
	fakeengine.Engine
	_ map[string]string
}

func TestSweepDue(t *testing.T) {
	is := is.New(t)
	a, b := &structEngine{}, &structEngine{}
	is.True(claimSweep(a))
	is.True(!claimSweep(a)) // just now
	is.True(claimSweep(b))  // another engine
	_ = claimSweep(structEngine{})
	is.True(!claimSweep(structEngine{})) // those that cannot be compared are one
}

// littered is an engine that dead processes have left things on.
type littered struct {
	fakeengine.Engine
	containers, networks []engine.Object
	roots                []engine.TaggedImage
	removed              []string
}

func (l *littered) List(_ context.Context, _, kind string) (all []engine.Object, err error) {
	for _, o := range l.containers {
		if o.Labels[engine.LabelKind] == kind {
			all = append(all, o)
		}
	}
	return all, nil
}

func (l *littered) ListNetworks(context.Context, string, string) ([]engine.Object, error) {
	return l.networks, nil
}

func (l *littered) ListImages(context.Context, string, string) ([]engine.TaggedImage, error) {
	return l.roots, nil
}

func (l *littered) Remove(_ context.Context, name string) error {
	if name == "stuck" {
		return errors.New("it does not go")
	}
	l.removed = append(l.removed, name)
	return nil
}

func (l *littered) RemoveNetwork(_ context.Context, name string) (bool, error) {
	l.removed = append(l.removed, name)
	return name != "used", nil
}

func (l *littered) RemoveImage(_ context.Context, ref string) error {
	l.removed = append(l.removed, ref)
	return nil
}

// Sweep returns the names of what it has removed, and goes on after an error.
func TestSweepReturns(t *testing.T) {
	is := is.New(t)
	object := func(name, id, kind string) engine.Object {
		return engine.Object{Name: name, ID: id, State: "created", Labels: map[string]string{
			engine.LabelKind: kind, engine.LabelOwner: "another-boot:1:1", engine.LabelCreated: "2020-01-01T00:00:00Z"}}
	}
	old := engine.Image{Created: time.Now().Add(-2 * time.Hour)}
	l := &littered{
		containers: []engine.Object{object("a", "", "sandbox"), object("stuck", "", "sandbox"), object("b", "id-of-b", "sandbox"), object("lock", "", "build")},
		networks:   []engine.Object{object("net", "", "network"), object("used", "", "network")},
		roots:      []engine.TaggedImage{{Ref: rootRepository + ":x", Image: old}, {Ref: "somebody/else:1", Image: old}, {Ref: rootRepository + ":new", Image: engine.Image{Created: time.Now()}}},
	}
	removed, err := Sweep(t.Context(), l)
	is.Equal(err.Error(), "sweep stuck: it does not go")
	is.Equal(removed, []string{"a", "b", "lock", "net", rootRepository + ":x"})
	is.Equal(l.removed, []string{"a", "id-of-b", "lock", "net", "used", rootRepository + ":x"}) // by id, if there is one
}
