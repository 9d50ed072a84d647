package drydock

import (
	"errors"
	"fmt"
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

func TestPackagesShortForm(t *testing.T) {
	is := is.New(t)
	c := overlay(is, `
runtimes:
  short: {base_image: a, packages: [jq, git], package_manager: apt}
  long: {base_image: a, packages: {apt: [jq, git]}}
`)
	is.Equal(get(is, c, "short").Packages, get(is, c, "long").Packages)
	is.Equal(get(is, c, "short").Packages, Packages{Apt: {"jq", "git"}})
}

// What YAML takes for a number, a boolean or a date is the text that stands there.
func TestEnvIsLiteral(t *testing.T) {
	is := is.New(t)
	c := overlay(is, `
runtimes:
  x: {image: a, env: {A: 1.10, B: yes, C: 010, D: 2024-01-02, E: "", F: $HOME, G: true, H: "a\tb", I: .5e3}}
`)
	is.Equal(get(is, c, "x").Env, map[string]string{
		"A": "1.10", "B": "yes", "C": "010", "D": "2024-01-02", "E": "", "F": "$HOME", "G": "true",
		"H": "a\tb", "I": ".5e3",
	})
}

func TestExtends(t *testing.T) {
	const base = `
  base:
    description: d
    base_image: a:1
    packages: {pip: [p], apt: [git]}
    setup_commands: [one]
    env: {A: "1", B: "1"}
    work_dir: /w
    user: u`
	for name, tt := range map[string]struct {
		files []string
		want  Runtime
	}{
		"everything is inherited": {
			[]string{"runtimes:" + base + "\n  x: {extends: base}"},
			Runtime{
				Description: "d", BaseImage: "a:1", Packages: Packages{Pip: {"p"}, Apt: {"git"}},
				SetupCommands: []string{"one"}, Env: map[string]string{"A": "1", "B": "1"},
				WorkDir: "/w", User: "u",
			},
		},
		"merged and replaced": {
			[]string{"runtimes:" + base + `
  x:
    extends: base
    description: e
    base_image: b:2
    packages: {pip: [q, p, q], npm: [r]}
    setup_commands: [two, one]
    env: {B: "2", C: "2"}
    work_dir: /x
    user: v`},
			Runtime{
				Description: "e", BaseImage: "b:2",
				Packages:      Packages{Pip: {"p", "q"}, Apt: {"git"}, NPM: {"r"}},
				SetupCommands: []string{"one", "two", "one"},
				Env:           map[string]string{"A": "1", "B": "2", "C": "2"}, WorkDir: "/x", User: "v",
			},
		},
		"before its base in the file": {
			[]string{"runtimes:\n  x: {extends: base, user: v}\n  base: {image: a:1}"},
			Runtime{Image: "a:1", User: "v", WorkDir: "/workspace"},
		},
		"an image that is installed on is built on": {
			[]string{"runtimes:\n  base: {image: a:1}\n  x: {extends: base, packages: {pip: [p]}}"},
			Runtime{BaseImage: "a:1", Packages: Packages{Pip: {"p"}}, WorkDir: "/workspace"},
		},
		"an image that is not stays": {
			[]string{"runtimes:\n  base: {image: a:1}\n  x: {extends: base, env: {A: b}}"},
			Runtime{Image: "a:1", Env: map[string]string{"A": "b"}, WorkDir: "/workspace"},
		},
		"base_image for image": {
			[]string{"runtimes:\n  base: {image: a:1}\n  x: {extends: base, base_image: b:2}"},
			Runtime{BaseImage: "b:2", WorkDir: "/workspace"},
		},
		"along a chain": {
			[]string{"runtimes:\n  base: {base_image: a, packages: {pip: [p]}}\n" +
				"  y: {extends: base, packages: {pip: [q]}}\n  x: {extends: y, packages: {pip: [r]}}"},
			Runtime{BaseImage: "a", Packages: Packages{Pip: {"p", "q", "r"}}, WorkDir: "/workspace"},
		},
		"its own name is the earlier one": {
			[]string{"runtimes:\n  x: {image: a:1, env: {A: b}}", "runtimes:\n  x: {extends: x, env: {C: d}}"},
			Runtime{Image: "a:1", Env: map[string]string{"A": "b", "C": "d"}, WorkDir: "/workspace"},
		},
		"the same file comes first": {
			[]string{"runtimes:\n  base: {image: a:1}", "runtimes:\n  x: {extends: base}\n  base: {image: b:2}"},
			Runtime{Image: "b:2", WorkDir: "/workspace"},
		},
		"a later base changes nothing": {
			[]string{"runtimes:\n  base: {image: a:1}\n  x: {extends: base}", "runtimes:\n  base: {image: b:2}"},
			Runtime{Image: "a:1", WorkDir: "/workspace"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			tt.want.Name = "x"
			is.Equal(get(is, overlay(is, tt.files...), "x"), tt.want)
		})
	}
}

// A file cannot make much of little.
func TestExtendsIsBounded(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	b.WriteString("runtimes:\n  x0: {base_image: a, setup_commands: [" + strings.Repeat("b,", maxEntries) + "]}\n")
	b.WriteString("  x1:\n    extends: x0\n    setup_commands: [c]\n")
	_, err := Presets().overlay("f.yaml", []byte(b.String()))
	is.True(err != nil)
	is.Equal(err.Error(), `f.yaml:3: runtime "x1": 1001 packages, setup commands and variables; at most 1000`)

	many := "runtimes:\n"
	for i := range maxRuntimes + 1 {
		many += fmt.Sprintf("  x%d: {image: a}\n", i)
	}
	_, err = Presets().overlay("f.yaml", []byte(many))
	is.True(err != nil)
	is.Equal(err.Error(), "f.yaml:1002: runtimes: more than 1000; split the file")
}

func TestManyErrorsAreCut(t *testing.T) {
	is := is.New(t)
	_, err := Presets().overlay("f.yaml", []byte(strings.Repeat("x: 1\n", 60)))
	lines := strings.Split(err.Error(), "\n")
	is.Equal(len(lines), 51)
	is.Equal(lines[50], "f.yaml: and 10 more errors")

	many := "runtimes:\n"
	for i := range 60 {
		many += fmt.Sprintf("  x%d: {extends: nope}\n", i)
	}
	_, err = Presets().overlay("f.yaml", []byte(many))
	lines = strings.Split(err.Error(), "\n")
	is.Equal(len(lines), 51)
	is.True(strings.HasSuffix(lines[0], ", x34, x35 and 24 more")) // nor is every name listed
}

// yaml.v3 would expand this to a thousand million strings; here no alias is followed.
func TestAliasBomb(t *testing.T) {
	is := is.New(t)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n"
	}
	_, err := Presets().overlay("f.yaml", []byte(bomb+"runtimes: *i"))
	is.True(strings.Contains(err.Error(), "f.yaml:10: runtimes: aliases and merge keys are not read"))
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
		`runtime "y": no image; write image to use one as it is, base_image to build on one, or extends to take over a runtime`,
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

// Whatever a file holds, it is refused or yields runtimes that are valid; nothing panics.
func FuzzParse(f *testing.F) {
	f.Add(presetFile)
	for _, s := range []string{
		"", "---\n", "runtimes:\n  x: {image: a}", "stand_ins: {a: b}\nruntimes:\n  x: {image: a}",
		"runtimes:\n  go: {extends: go, packages: [git], package_manager: apk}",
		"runtimes:\n  x: &a {extends: y}\n  y: {extends: x, <<: *a}", "a: &a [*a]\nruntimes: *a",
		"runtimes:\n  x: {image: a, env: {A: !!binary aGk=, \"B\\0\": c}}\n---\n{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Presets().overlay("f.yaml", data)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		for _, r := range c.All() {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			if again, err := c.Resolve(r); err != nil || len(again.Hash()) != 64 {
				t.Fatal(again, err)
			}
		}
	})
}
