package image

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
)

const day = 24 * time.Hour

func TestRuntimeImagesListed(t *testing.T) {
	is := is.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12", SetupCommands: []string{"true"}}
	catalog, err := drydock.Presets().With(lab)
	is.NoErr(err)
	s := &shelf{}
	current := s.put(refOf(t, lab), "a1", "lab", 40*day)
	older := s.put(repository+"lab:00000000000000000000", "b2", "lab", 50*day)
	plain := s.put(refOf(t, drydock.Runtime{Image: "debian:12"}), "c3", "", day)
	older2 := s.put(repository+"image:11111111111111111111", "d4", "", day)
	stranger := s.put(repository+"theirs:22222222222222222222", "e5", "theirs", day)
	s.put("", "f6f6f6f6f6f6f6", "lab", day)
	s.put("their/own:1", "a7", "lab", day) // built on one of ours
	s.containers = []engine.Object{{Name: "x", Image: stranger}, {Name: "y", Image: "f6f6f6f6f6f6"}, {Name: "z", Image: older, ImageID: "sha256:99"}}
	MarkUsed(current)
	ago := time.Now().Add(-45 * day)
	MarkUsed(older)
	is.NoErr(os.Chtimes(useRecord(older), ago, ago))

	all, err := (&Builder{Engine: s, Catalog: catalog}).Images(t.Context())
	is.NoErr(err)
	var refs []string
	for _, im := range all {
		refs = append(refs, im.Ref)
		is.Equal(im.Superseded, im.Ref == older || im.Ref == older2 || im.Ref == "") // superseded
		is.Equal(im.InUse, im.Ref == stranger || im.Ref == "")                       // has a container
		is.Equal(im.Base, "debian:12")
		is.Equal(im.Size, int64(7))
		since := time.Since(im.Used).Round(day)
		switch im.Ref {
		case current:
			is.Equal(since, time.Duration(0)) // marked just now
		case older:
			is.Equal(since, 45*day) // its record
		default:
			is.Equal(since, day) // built, and no record
		}
	}
	is.Equal(refs[2:], []string{"", current, older, stranger})             // by runtime, the newest first
	is.True(slices.Contains(refs, plain) && slices.Contains(refs, older2)) // those without a runtime
}
