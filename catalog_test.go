package drydock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
)

// overlay lays files over the presets.
func overlay(is *is.I, files ...string) *Catalog {
	is.Helper()
	c := Presets()
	for _, file := range files {
		next, err := c.overlay("f.yaml", []byte(file))
		is.NoErr(err) // a file without mistakes
		c = next
	}
	return c
}

// get returns a runtime that is there.
func get(is *is.I, c *Catalog, name string) Runtime {
	is.Helper()
	r, err := c.Runtime(name)
	is.NoErr(err) // is there
	return r
}

func TestPresets(t *testing.T) {
	is := is.New(t)
	for _, r := range Presets().All() {
		is.NoErr(r.Validate())
		is.True(r.Description != "")   // described
		is.Equal(r.StandIn, StandIn{}) // as in the file
	}
	is.Equal(get(is, Presets(), "coding").Packages, Packages{
		Apt: {"git", "curl", "ca-certificates", "ripgrep", "fd-find", "jq", "less", "procps"},
		Pip: {"uv"},
	})
	is.Equal(get(is, Presets(), "python-datascience"), Runtime{
		Name:        "python-datascience",
		Description: "Python 3.12 for data analysis, plots and machine learning",
		BaseImage:   "python:3.12-slim",
		Packages:    Packages{Pip: {"pandas", "numpy", "matplotlib", "scikit-learn", "seaborn"}},
		Env:         map[string]string{"MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"},
		WorkDir:     "/workspace",
	})
}

func TestOverlayAddsAndReplaces(t *testing.T) {
	is := is.New(t)
	c := overlay(is, "runtimes:\n  lab: {image: a}\n  bun: {image: b, user: 1000}")
	all := c.All()
	is.Equal(len(all), 16)
	is.Equal(all[15].Name, "lab")                                                            // last
	is.Equal(all[11], Runtime{Name: "bun", Image: "b", User: "1000", WorkDir: "/workspace"}) // in its place
	is.Equal(len(Presets().All()), 15)                                                       // presets are as they were
	is.Equal(get(is, Presets(), "bun").Image, "oven/bun:1-slim")                             // and so is each
	is.Equal(len(overlay(is, "", "# nothing\n").All()), 15)                                  // an empty file is no mistake
	is.Equal(len(overlay(is, "version: 1").All()), 15)                                       // nor is one without runtimes
}

func TestStandIns(t *testing.T) {
	is := is.New(t)
	c := overlay(is, `
stand_ins:
  python:3.12-slim: localhost/py
  a:1: mirror/a:1
  mirror/a:1: no/chain
runtimes:
  x: {image: "a:1"}
`)
	x := get(is, c, "x")
	is.Equal(x.Image, "mirror/a:1") // replaced once
	is.Equal(x.StandIn, StandIn{Image: "mirror/a:1", For: "a:1"})
	web := get(is, c, "python-web") // a preset, from an earlier file
	is.Equal(web.BaseImage, "localhost/py")
	is.Equal(web.StandIn, StandIn{Image: "localhost/py", For: "python:3.12-slim"})
	is.Equal(get(is, c, "bun").StandIn, StandIn{})
	is.True(web.Hash() != get(is, Presets(), "python-web").Hash()) // another image is another result

	lab := web
	lab.Name, lab.Packages = "lab", nil
	with, err := c.With(lab)
	is.NoErr(err)
	is.Equal(get(is, with, "lab").StandIn, web.StandIn) // a copy is still on it

	lab.BaseImage = "b"
	lab, err = c.Resolve(lab)
	is.NoErr(err)
	is.Equal(lab.StandIn, StandIn{}) // on another image it is not

	lab, err = c.Resolve(Runtime{Image: "a:1"})
	is.NoErr(err)
	is.Equal(lab.StandIn, StandIn{Image: "mirror/a:1", For: "a:1"})

	later, err := c.overlay("g.yaml", []byte("stand_ins: {python:3.12-slim: python:3.12-slim, a:1: b}\n"+
		"runtimes:\n  y: {extends: x}"))
	is.NoErr(err)
	is.Equal(get(is, later, "python-web").StandIn, StandIn{})                   // undone
	is.Equal(get(is, later, "x").StandIn, StandIn{Image: "b", For: "a:1"})      // overruled
	is.Equal(get(is, later, "y").StandIn, StandIn{Image: "b", For: "a:1"})      // inherited is the image, not what stands in for it
	is.Equal(get(is, c, "x").StandIn, StandIn{Image: "mirror/a:1", For: "a:1"}) // the other catalogue is as it was
}

func TestMirrors(t *testing.T) {
	is := is.New(t)
	c, err := Presets().overlay("f.yaml", []byte(`
mirrors: {docker.io: registry.example.com:5000/hub, ghcr.io: other.example.com}
stand_ins: {node:20-slim: localhost/x/node:1}
`))
	is.NoErr(err)
	for image, want := range map[string]string{
		"python:3.12-slim":            "registry.example.com:5000/hub/library/python:3.12-slim",
		"oven/bun:1-slim":             "registry.example.com:5000/hub/oven/bun:1-slim",
		"docker.io/library/python:3":  "registry.example.com:5000/hub/library/python:3",
		"ghcr.io/a/b@sha256:" + zeros: "other.example.com/a/b@sha256:" + zeros,
		"quay.io/a/b:1":               "quay.io/a/b:1",
		"localhost/a:1":               "localhost/a:1",
		"node:20-slim":                "localhost/x/node:1", // a stand-in is asked first
	} {
		r, err := c.Resolve(Runtime{Image: image})
		is.NoErr(err)
		is.Equal(r.Image, want)
		if want == image {
			is.Equal(r.StandIn, StandIn{})
		} else {
			is.Equal(r.StandIn, StandIn{Image: want, For: image}) // and it is said
		}
	}
}

func TestUnknownRuntime(t *testing.T) {
	is := is.New(t)
	_, err := Presets().Runtime("pyhton-web")
	is.True(errors.Is(err, ErrUnknownRuntime))
	is.Equal(err.Error(), `unknown runtime "pyhton-web"; did you mean "python-web"? Known: `+knownRuntimes)
	_, err = Presets().Runtime("zzz\n")
	is.Equal(err.Error(), `unknown runtime "zzz\n"; known: `+knownRuntimes)
	_, err = new(Catalog).Runtime("x")
	is.True(errors.Is(err, ErrUnknownRuntime)) // the zero value is empty
	_, err = Presets().overlay("f.yaml", []byte("runtimes:\n  x: {extends: y}"))
	is.True(errors.Is(err, ErrUnknownRuntime)) // also in a file
}

func TestWith(t *testing.T) {
	is := is.New(t)
	own := Runtime{Name: "lab", BaseImage: "a", Packages: Packages{Pip: {"p"}}, Env: map[string]string{"A": "b"}}
	c, err := new(Catalog).With(own, Runtime{Name: "x", Image: "a"})
	is.NoErr(err)
	own.Packages[Pip][0], own.Env["A"] = "changed", "changed"
	is.Equal(get(is, c, "lab").Packages[Pip][0], "p") // what is kept is a copy
	is.Equal(get(is, c, "lab").Env["A"], "b")

	_, err = c.With(Runtime{Image: "a"}, Runtime{Name: "y"}, Runtime{Name: "X", Image: "A"})
	is.True(err != nil)
	is.Equal(err.Error(), strings.Join([]string{
		`a runtime without a name; set Name`,
		`runtime "y": no image; write image to use one as it is, base_image to build on one, or extends to inherit from a runtime`,
		`runtime "X": not a name of a runtime; write 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or digit`,
		`runtime "X": image: ` + noImage("A"),
	}, "\n"))
	_, err = c.Resolve(Runtime{})
	is.True(err != nil) // checked as well
}

func TestReturnedRuntimesAreCopies(t *testing.T) {
	is := is.New(t)
	change := func(r Runtime) {
		r.Packages[Pip][0] = "changed"
		r.Packages[Apt] = append(r.Packages[Apt][:1], "changed")
		r.SetupCommands[0] = "changed"
		r.Env["PYTHONUNBUFFERED"] = "changed"
	}
	before := get(is, Presets(), "coding")
	change(get(is, Presets(), "coding"))
	for _, r := range Presets().All() {
		if r.Name == "coding" {
			change(r)
		}
	}
	resolved, err := Presets().Resolve(before)
	is.NoErr(err)
	change(resolved)
	is.Equal(get(is, Presets(), "coding"), before)
}

func TestConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			is := is.New(t)
			r := get(is, Presets(), "coding")
			r.Env["X"] = "y"
			c, err := Presets().With(r)
			is.NoErr(err)
			is.Equal(len(c.All()), 15)
		})
	}
	wg.Wait()
}

func TestLoadAndDefault(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		is.NoErr(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	one := write("one.yaml", "runtimes:\n  x: {image: a}")
	two := write("two.yaml", "runtimes:\n  x: {extends: x, user: u}")

	t.Setenv(EnvFiles, one+string(os.PathListSeparator)+string(os.PathListSeparator)+two)
	c, err := Default()
	is.NoErr(err)
	is.Equal(get(is, c, "x").User, "u") // in order

	_, err = Load(two)
	is.Equal(err.Error(), two+`:2: runtime "x": extends: "x" is its own name and no earlier file `+
		`defines it; write image or base_image`)

	missing := filepath.Join(dir, "missing.yaml")
	_, err = Load(one, missing)
	is.True(errors.Is(err, fs.ErrNotExist))
	is.True(strings.HasPrefix(err.Error(), missing+": cannot be read: "))

	_, err = Load(dir)
	is.True(strings.HasPrefix(err.Error(), dir+": cannot be read: ")) // a directory

	_, err = Load(write("large.yaml", "#"+strings.Repeat("x", maxFile-1)))
	is.NoErr(err) // as large as may be
	large := write("large.yaml", "#"+strings.Repeat("x", maxFile))
	_, err = Load(large)
	is.Equal(err.Error(), large+": cannot be read: more than 1048576 bytes")
}
