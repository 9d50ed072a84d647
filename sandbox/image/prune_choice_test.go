package image

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

func TestPruneChooses(t *testing.T) {
	lab := drydock.Runtime{Name: "lab", BaseImage: "debian:12", SetupCommands: []string{"true"}}
	catalog, err := drydock.Presets().With(lab)
	is.New(t).NoErr(err)
	current := refOf(t, lab)
	stranger := repository + "theirs:22222222222222222222"
	older := repository + "lab:00000000000000000000"
	lock := func(ref string, expires time.Duration) engine.Object {
		return engine.Object{Name: lockName(ref), State: "created", Labels: map[string]string{
			engine.LabelKind: "build", engine.LabelOwner: owned.ThisProcess(), engine.LabelExpires: time.Now().Add(expires).UTC().Format(time.RFC3339),
		}}
	}
	for name, c := range map[string]struct {
		opts       PruneOptions
		containers []engine.Object
		busy       string
		want       []string
	}{
		"defaults":               {want: []string{"", older}},
		"dry":                    {opts: PruneOptions{DryRun: true}, want: []string{"", older}},
		"unused":                 {opts: PruneOptions{UnusedFor: 20 * day}, want: []string{"", older, current}},
		"unused for longer":      {opts: PruneOptions{UnusedFor: 60 * day}, want: []string{"", older}},
		"in use":                 {containers: []engine.Object{{Name: "c", Image: older}}, want: []string{""}},
		"in use, unseen":         {busy: older, want: []string{""}},
		"is being built":         {containers: []engine.Object{lock(older, time.Hour)}},
		"another is being built": {containers: []engine.Object{lock(current, time.Hour)}, want: []string{older}},
		"its build ended":        {containers: []engine.Object{lock(older, -time.Hour)}, want: []string{"", older}},
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
			MarkUsed(older)
			removed, err := (&Builder{Engine: s, Catalog: catalog}).Prune(t.Context(), &c.opts)
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
		_, err := (&Builder{Engine: &shelf{}}).Prune(t.Context(), &PruneOptions{UnusedFor: -1})
		is.True(errors.Is(err, fs.ErrInvalid))
		is.Equal(err.Error(), "prune: unused for -1ns: it is negative")
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
