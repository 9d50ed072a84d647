package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
)

// shelf is an engine that has images and containers and runs nothing.
type shelf struct {
	Engine
	images     []ListedImage
	containers []Listed
	loads      []string
	busy       string // an image that a container is on of which no list tells
}

func (s *shelf) Info(context.Context) (EngineInfo, error) {
	return EngineInfo{Name: "docker", Arch: "amd64"}, nil
}

func (s *shelf) Images(_ context.Context, label, value string) (all []ListedImage, err error) {
	for _, image := range s.images {
		if image.Labels[label] == value {
			all = append(all, image)
		}
	}
	return all, nil
}

func (s *shelf) List(_ context.Context, label, value string) (all []Listed, err error) {
	for _, c := range s.containers {
		if label == "" || c.Labels[label] == value {
			all = append(all, c)
		}
	}
	return all, nil
}

func (s *shelf) RemoveImage(_ context.Context, name string) error {
	if name == s.busy {
		return ErrInUse
	}
	s.images = slices.DeleteFunc(s.images, func(l ListedImage) bool { return l.Ref == name || l.Ref == "" && l.ID == name })
	return nil
}

func (s *shelf) LoadImages(context.Context, io.Reader) ([]string, error) { return s.loads, nil }

// put adds an image of a runtime, built so long ago, and returns its name.
func (s *shelf) put(ref, id, runtime string, age time.Duration) string {
	s.images = append(s.images, ListedImage{ref, ImageInfo{
		ID: "sha256:" + id, Created: time.Now().Add(-age), Size: 7,
		Labels: map[string]string{LabelKind: "runtime", LabelRuntime: runtime, LabelBase: "debian:12"},
	}})
	return ref
}

// tagOf is the name of the image of a runtime.
func tagOf(t *testing.T, r drydock.Runtime) string {
	t.Helper()
	im, err := newImage(r, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return im.tag
}

const day = 24 * time.Hour

func TestRuntimeImagesListed(t *testing.T) {
	is := is.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12", SetupCommands: []string{"true"}}
	catalog, err := drydock.Presets().With(lab)
	is.NoErr(err)
	s := &shelf{}
	current := s.put(tagOf(t, lab), "a1", "lab", 40*day)
	older := s.put(runtimeRepository+"lab:00000000000000000000", "b2", "lab", 50*day)
	plain := s.put(tagOf(t, drydock.Runtime{Image: "debian:12"}), "c3", "", day)
	older2 := s.put(runtimeRepository+"image:11111111111111111111", "d4", "", day)
	stranger := s.put(runtimeRepository+"theirs:22222222222222222222", "e5", "theirs", day)
	s.put("", "f6f6f6f6f6f6f6", "lab", day)
	s.put("their/own:1", "a7", "lab", day) // built on one of ours
	s.containers = []Listed{{Name: "x", Image: stranger}, {Name: "y", Image: "f6f6f6f6f6f6"}, {Name: "z", Image: older, ImageID: "sha256:99"}}
	markUsed(current)
	ago := time.Now().Add(-45 * day)
	markUsed(older)
	is.NoErr(os.Chtimes(useRecord(older), ago, ago))

	all, err := RuntimeImages(t.Context(), s, catalog)
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

func TestPruneChooses(t *testing.T) {
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12", SetupCommands: []string{"true"}}
	catalog, err := drydock.Presets().With(lab)
	is.New(t).NoErr(err)
	current := tagOf(t, lab)
	stranger := runtimeRepository + "theirs:22222222222222222222"
	older := runtimeRepository + "lab:00000000000000000000"
	lock := func(ref string, expires time.Duration) Listed {
		return Listed{Name: (&image{tag: ref}).lockName(), State: "created", Labels: map[string]string{
			LabelKind: "build", LabelOwner: owner(), LabelExpires: time.Now().Add(expires).UTC().Format(time.RFC3339),
		}}
	}
	for name, c := range map[string]struct {
		opts       PruneOptions
		containers []Listed
		busy       string
		want       []string
	}{
		"defaults":               {want: []string{"", older}},
		"dry":                    {opts: PruneOptions{DryRun: true}, want: []string{"", older}},
		"unused":                 {opts: PruneOptions{UnusedFor: 20 * day}, want: []string{"", older, current}},
		"unused for longer":      {opts: PruneOptions{UnusedFor: 60 * day}, want: []string{"", older}},
		"in use":                 {containers: []Listed{{Name: "c", Image: older}}, want: []string{""}},
		"in use, unseen":         {busy: older, want: []string{""}},
		"is being built":         {containers: []Listed{lock(older, time.Hour)}},
		"another is being built": {containers: []Listed{lock(current, time.Hour)}, want: []string{older}},
		"its build ended":        {containers: []Listed{lock(older, -time.Hour)}, want: []string{"", older}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			t.Setenv("HOME", t.TempDir())
			s := &shelf{containers: c.containers, busy: c.busy}
			s.put(current, "a1", "lab", 40*day)
			s.put(older, "b2", "lab", 50*day)
			s.put(stranger, "e5", "theirs", 10*day)
			s.put("", "f6", "lab", day)
			markUsed(older)
			c.opts.Catalog = catalog
			removed, err := Prune(t.Context(), s, &c.opts)
			is.NoErr(err)
			var refs, have []string
			for _, im := range removed {
				refs = append(refs, im.Ref)
			}
			for _, l := range s.images {
				have = append(have, l.Ref)
			}
			slices.Sort(refs)
			slices.Sort(c.want)
			is.Equal(refs, c.want) // what is told
			is.Equal(len(have), 4-len(c.want)*btoi(!c.opts.DryRun))
			for _, ref := range have {
				is.True(c.opts.DryRun || !slices.Contains(c.want, ref)) // and is gone
			}
			is.Equal(lastUse(older).IsZero(), !slices.Contains(have, older)) // with its record
		})
	}
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		_, err := Prune(t.Context(), &shelf{}, &PruneOptions{UnusedFor: -1})
		var e *Error
		is.True(errors.As(err, &e))
		is.Equal(e.Code, CodeInvalid)
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestImportTells(t *testing.T) {
	is := is.New(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12"}
	catalog, err := drydock.Presets().With(lab)
	is.NoErr(err)
	s := &shelf{}
	current := s.put(tagOf(t, lab), "a1", "lab", 40*day)
	older := s.put(runtimeRepository+"lab:00000000000000000000", "b2", "lab", 50*day)
	load := func(refs ...string) ([]RuntimeImage, error) {
		s.loads = refs
		return Import(t.Context(), strings.NewReader(""), &Options{Engine: s, Catalog: catalog})
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

func TestUseRecord(t *testing.T) {
	is := is.New(t)
	for _, ref := range []string{"", "debian:12", snapshotRepository + ":a", runtimeRepository + "a/b:1", runtimeRepository + `a\b:1`} {
		is.Equal(useRecord(ref), "") // none
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	markUsed(runtimeRepository + "a:1")
	is.True(lastUse(runtimeRepository + "a:1").IsZero()) // nowhere to keep it
	t.Setenv("XDG_CACHE_HOME", "/proc/none")
	markUsed(runtimeRepository + "a:1")
	is.True(lastUse(runtimeRepository + "a:1").IsZero()) // nor here
}

func BenchmarkMarkUsed(b *testing.B) {
	b.Setenv("XDG_CACHE_HOME", b.TempDir())
	ref := runtimeRepository + "python-minimal:0123456789abcdef0123"
	for b.Loop() {
		markUsed(ref)
	}
}
