package drydock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

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

// A short file cannot grow to a large catalogue.
func TestExtendsIsBounded(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	b.WriteString("runtimes:\n  x0: {base_image: a, setup_commands: [" + strings.Repeat("b,", maxEntries) + "]}\n")
	b.WriteString("  x1:\n    extends: x0\n    setup_commands: [c]\n")
	_, err := Presets().overlay("f.yaml", []byte(b.String()))
	is.True(err != nil)
	is.Equal(err.Error(), `f.yaml:3: runtime "x1": 1001 packages, setup commands and variables; at most 1000`)

	var many strings.Builder
	many.WriteString("runtimes:\n")
	for i := range maxRuntimes + 1 {
		fmt.Fprintf(&many, "  x%d: {image: a}\n", i)
	}
	_, err = Presets().overlay("f.yaml", []byte(many.String()))
	is.True(err != nil)
	is.Equal(err.Error(), "f.yaml:1002: runtimes: more than 1000; split the file")
}
