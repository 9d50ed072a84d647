package image

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
)

func TestImportTells(t *testing.T) {
	is := is.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12"}
	catalog, err := drydock.Presets().With(lab)
	is.NoErr(err)
	s := &shelf{}
	current := s.put(refOf(t, lab), "a1", "lab", 40*day)
	older := s.put(repository+"lab:00000000000000000000", "b2", "lab", 50*day)
	load := func(refs ...string) ([]RuntimeImage, error) {
		s.loads = refs
		return (&Builder{Engine: s, Catalog: catalog}).Import(t.Context(), strings.NewReader(""))
	}
	all, err := load(current)
	is.NoErr(err)
	is.Equal(len(all), 1)
	is.True(time.Since(all[0].Used) < time.Minute) // not as old as where it was built
	all, err = load(current, older)
	is.Equal(len(all), 2)                              // both are there
	is.True(strings.Contains(err.Error(), older+": ")) // one for nothing
	_, err = load("debian:12")
	is.True(err != nil) // no image of a runtime
	_, err = load()
	is.True(err != nil)
}
