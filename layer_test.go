package drydock

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

const (
	knownKeys = "known: description, extends, image, base_image, packages, package_manager, " +
		"requirements, setup_commands, env, work_dir, user"
	knownManagers = "known: apt, apk, pip, npm, cargo, go"
	knownRuntimes = "python-minimal, python-datascience, python-web, node-minimal, node-react, " +
		"coding, polyglot, python-analytics, python-scraping, python-documents, " +
		"node-typescript, bun, deno, go, rust"
)

// Each file with its errors.
func TestRefusedFiles(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"a list": {"- a", `f.yaml:1: found a list; write runtimes: {NAME: {base_image: IMAGE}}`},
		"text":   {"hello", `f.yaml:1: found text; write runtimes: {NAME: {base_image: IMAGE}}`},
		"bad YAML": {"runtimes:\n  x: [",
			`f.yaml:2: not YAML, here or below: did not find expected node content`},
		"bad YAML on line one": {"a: b: c",
			`f.yaml:1: not YAML, here or below: mapping values are not allowed in this context`},
		"not UTF-8": {"runtimes: \xff", `f.yaml:1: not YAML, here or below: invalid leading UTF-8 octet`},
		"two documents": {"version: 1\n---\nversion: 1",
			`f.yaml:2: a second document; write one per file`},
		"broken second document": {"version: 1\n---\n[",
			`f.yaml:3: not YAML, here or below: did not find expected node content`},
		"unknown version": {"version: 2", `f.yaml:1: version: not a version of this format; write 1`},
		"quoted version":  {"version: '1'", `f.yaml:1: version: not a version of this format; write 1`},
		"unknown top key": {"runtime: {}", `f.yaml:1: unknown key "runtime"; did you mean "runtimes"? ` +
			`Known: version, stand_ins, mirrors, runtimes`},
		"no runtimes": {"runtimes:",
			`f.yaml:1: runtimes: found nothing; write a mapping, such as {NAME: {base_image: IMAGE}}`},
		"runtimes a list": {"runtimes: [a]",
			`f.yaml:1: runtimes: found a list; write a mapping, such as {NAME: {base_image: IMAGE}}`},
		"a key that is a list": {"runtimes:\n  x: {image: a}\n  ? [a]\n  : b",
			`f.yaml:3: runtimes: found a list; write a name before the colon`},
		"alias": {"runtimes:\n  x: &a {image: a}\n  y: *a", `f.yaml:3: runtime "y": ` +
			`aliases and merge keys are not read; write the value out, or use extends`},
		"merge key": {"runtimes:\n  x: &a {image: a}\n  y:\n    <<: *a\n    image: b", `f.yaml:4: ` +
			`runtime "y": aliases and merge keys are not read; write the value out, or use extends`},
		"stand-in key":   {"stand_ins: {A: b}", `f.yaml:1: stand_ins: ` + noImage("A")},
		"stand-in value": {"stand_ins:\n  a: B", `f.yaml:2: stand_ins.a: ` + noImage("B")},
		"stand-in empty": {"stand_ins:\n  a:", `f.yaml:2: stand_ins.a: found nothing; write text`},
		"stand-ins a list": {"stand_ins: [a]",
			`f.yaml:1: stand_ins: found a list; write a mapping of images to those used in their place`},
		"mirror of no registry": {"mirrors: {a/b: c}", `f.yaml:1: mirrors: "a/b" is not a registry; write a host, ` +
			`or host:port, such as docker.io`},
		"mirror with a tag": {"mirrors:\n  docker.io: c.d/e:1", `f.yaml:2: mirrors.docker.io: "c.d/e:1" cannot hold ` +
			`images; write a registry, or a path in one, such as registry.example.com/hub`},
		"mirrors a list": {"mirrors: [a]", `f.yaml:1: mirrors: found a list; write a mapping of registries to their ` +
			`mirrors, such as {docker.io: registry.example.com/hub}`},
		"same runtime twice": {"runtimes:\n  x: {image: a}\n  x: {image: b}",
			`f.yaml:3: runtimes: "x" is given twice, first on line 2; remove one`},
		"extends a cycle": {"runtimes:\n  a: {extends: b}\n  b: {extends: c}\n  c:\n    extends: b",
			`f.yaml:5: runtime "c": extends: is a circle: b -> c -> b; ` +
				`give one of them an image instead`},
		"extends itself": {"runtimes:\n  x: {extends: x}", `f.yaml:2: runtime "x": extends: ` +
			`"x" is its own name and no earlier file defines it; write image or base_image`},
		"extends what is not there": {"runtimes:\n  x:\n    extends: pyton-web\n  y: {image: a}",
			`f.yaml:3: runtime "x": extends: unknown runtime "pyton-web"; ` +
				`did you mean "python-web"? Known: ` + knownRuntimes + `, y`},
		"extends a broken one": {"runtimes:\n  x: {image: A}\n  y: {extends: x}",
			`f.yaml:2: runtime "x": image: ` + noImage("A")},
		"several, by line": {"nope: 1\nruntimes:\n  x: {image: A}\n  y: {}\nversion: 3", strings.Join([]string{
			`f.yaml:1: unknown key "nope"; known: version, stand_ins, mirrors, runtimes`,
			`f.yaml:3: runtime "x": image: ` + noImage("A"),
			`f.yaml:4: runtime "y": no image; write image to use one as it is, base_image to build ` +
				`on one, or extends to inherit from a runtime`,
			`f.yaml:5: version: not a version of this format; write 1`,
		}, "\n")},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := Presets().overlay("f.yaml", []byte(tt.file))
			is.True(err != nil)            // refused
			is.Equal(err.Error(), tt.want) // says so
			_, ok := errors.AsType[*Error](err)
			is.True(ok) // typed
		})
	}
}

func noImage(s string) string {
	return fmt.Sprintf("%q is not an image reference; write NAME:TAG or NAME@sha256:DIGEST, "+
		"such as python:3.12-slim", s)
}

// Each definition with the line, the field and the message of its error. Its first line is the third
// of the file.
func TestRefusedRuntimes(t *testing.T) {
	const (
		wantText  = "found %s; write text"
		wantQuote = "found %s; write it in quotes"
		system    = "%q is a system directory; write another, such as /workspace"
		noUser    = "%q is not a user; write a uid such as 1000, uid:gid such as 1000:1000, " +
			"or the name of a user of the image"
		noName = "not a name of a runtime; write 1 to 63 of a-z, 0-9, '.', '_' and '-', " +
			"the first a letter or digit"
	)
	said := fmt.Sprintf
	for _, tt := range []struct{ definition, want string }{
		{"name: a", `3: unknown key "name"; ` + knownKeys},
		{"baseimage: a", `3: unknown key "baseimage"; did you mean "base_image"? K` + knownKeys[1:]},
		{"image: a\nimage: b", `4: "image" is given twice, first on line 3; remove one`},
		{"image: 3.12", `3: image: ` + said(wantQuote, "a number")},
		{"image: 3", `3: image: ` + said(wantQuote, "a number")},
		{"image: true", `3: image: ` + said(wantQuote, "a boolean")},
		{"image: !!binary aGk=", `3: image: ` + said(wantQuote, `a value of type "!!binary"`)},
		{"image: [a]", `3: image: ` + said(wantText, "a list")},
		{"image: {a: b}", `3: image: ` + said(wantText, "a mapping")},
		{"image:", `3: image: ` + said(wantText, "nothing")},
		{"image: ''", `3: image: empty; write a value, or leave the key out`},
		{"description: x", `2: no image; write image to use one as it is, base_image to build on ` +
			`one, or extends to inherit from a runtime`},
		{"image: a\nbase_image: b", `4: base_image: given beside image; keep image to use an image ` +
			`as it is, or base_image to build on one`},
		{"packages: {pip: [a]}\nimage: a", `4: image: is used as it is, without packages and setup ` +
			`commands; write base_image to build on "a"`},
		{"setup_commands: [a]\nimage: a", `4: image: is used as it is, without packages and setup ` +
			`commands; write base_image to build on "a"`},
		{"image: a\ndescription: \"a\\eb\"",
			`4: description: contains the control character U+001B; write a value without it`},

		{"base_image: a\npackages:\n  yum: [b]", `5: packages.yum: unknown manager "yum"; ` + knownManagers},
		{"base_image: a\npackages: [b]\npackage_manager: yum",
			`5: packages.yum: unknown manager "yum"; ` + knownManagers},
		{"base_image: a\npackages: [b]\npackage_manager: carg",
			`5: packages.carg: unknown manager "carg"; did you mean "cargo"? K` + knownManagers[1:]},
		{"base_image: a\npackages: [b]\npackage_manager: 1",
			`5: package_manager: ` + said(wantQuote, "a number")},
		{"base_image: a\npackages: [b]", `4: packages: a list without a manager; ` +
			`write packages: {pip: [NAME]}, or add package_manager: pip`},
		{"base_image: a\npackage_manager: pip",
			`4: package_manager: without packages; write packages: {pip: [NAME]} alone`},
		{"base_image: a\npackages: {pip: [b]}\npackage_manager: pip", `5: package_manager: goes with ` +
			`a plain list of packages; remove it, packages names the managers`},
		{"base_image: a\npackages: b", `4: packages: found text; write a mapping, such as {pip: [NAME]}`},
		{"base_image: a\npackages: {pip: b}", `4: packages.pip: found text; write a list, such as [A, B]`},
		{"base_image: a\npackages: {pip: }", `4: packages.pip: found nothing; write a list, such as [A, B]`},
		{"base_image: a\npackages:\n  pip:\n    - ok\n    - 1.5", `7: packages.pip[1]: ` + said(wantQuote, "a number")},
		{"base_image: a\npackages:\n  pip:\n    - ok\n    - []", `7: packages.pip[1]: ` + said(wantText, "a list")},
		{"base_image: a\npackages: {apt: [git], apk: [git]}",
			`4: packages: apt and apk together; an image has one of them: remove the other`},

		{"base_image: a\nsetup_commands: b", `4: setup_commands: found text; write a list, such as [A, B]`},
		{"base_image: a\nsetup_commands:\n  - b\n  - ' '", `6: setup_commands[1]: an empty command; remove it`},
		{"base_image: a\nsetup_commands:\n  - \"b\\0\"",
			`5: setup_commands[0]: contains the control character U+0000; write a value without it`},
		{"base_image: a\nsetup_commands:\n  - \"b\\r\\n\"",
			`5: setup_commands[0]: contains the control character U+000D; write a value without it`},
		{"base_image: a\nsetup_commands:\n  - " + strings.Repeat("b", maxText+1),
			`5: setup_commands[0]: 32769 bytes; at most 32768`},
		{"base_image: a\nsetup_commands: [" + strings.Repeat("b,", maxEntries+1) + "]",
			`2: 1001 packages, setup commands and variables; at most 1000`},
		{"base_image: a\npackages: {go: [" + strings.Repeat("a.b/"+strings.Repeat("c", 240)+"@v1,", 250) + "]}",
			`4: packages.go: 62497 bytes of names; at most 60000`},

		{"image: a\nenv: [b]", `4: env: found a list; write a mapping, such as {NAME: value}`},
		{"image: a\nenv:\n  B:", `5: env.B: ` + said(wantText, "nothing")},
		{"image: a\nenv:\n  B: [c]", `5: env.B: ` + said(wantText, "a list")},
		{"image: a\nenv:\n  B-C: d", `5: env.B-C: not a name of a variable; write letters, digits and _, the first not a digit`},
		{"image: a\nenv:\n  1B: d", `5: env.1B: not a name of a variable; write letters, digits and _, the first not a digit`},
		{"image: a\nenv:\n  \"B\\n\": d", `5: env."B\n": not a name of a variable; write letters, digits and _, the first not a digit`},
		{"image: a\nenv:\n  B: \"c\\nd\"", `5: env.B: contains the control character U+000A; write a value without it`},
		{"image: a\nenv:\n  B: \"c\\0d\"", `5: env.B: contains the control character U+0000; write a value without it`},

		{"image: a\nwork_dir: app", `4: work_dir: "app" is relative; write an absolute path, such as /workspace`},
		{"image: a\nwork_dir: /a/../b", `4: work_dir: "/a/../b" is not clean; write "/b"`},
		{"image: a\nwork_dir: /a/", `4: work_dir: "/a/" is not clean; write "/a"`},
		{"image: a\nwork_dir: /", `4: work_dir: ` + said(system, "/")},
		{"image: a\nwork_dir: /etc", `4: work_dir: ` + said(system, "/etc")},
		{"image: a\nwork_dir: /proc/self", `4: work_dir: ` + said(system, "/proc/self")},
		{"image: a\nwork_dir: /.drydock/x", `4: work_dir: ` + said(system, "/.drydock/x")},
		{"image: a\nwork_dir: /usr", `4: work_dir: ` + said(system, "/usr")},
		{"image: a\nwork_dir: /tmp", `4: work_dir: ` + said(system, "/tmp")},
		{"image: a\nwork_dir: /a,b", `4: work_dir: "/a,b" does not fit a mount; ` +
			`write letters, digits and . _ + @ - between slashes`},
		{"image: a\nwork_dir: \"/a\\0\"", `4: work_dir: "/a\x00" does not fit a mount; ` +
			`write letters, digits and . _ + @ - between slashes`},

		{"image: a\nuser: ''", `4: user: empty; write a value, or leave the key out`},
		{"image: a\nuser: -1", `4: user: ` + said(noUser, "-1")},
		{"image: a\nuser: 0x10", `4: user: ` + said(noUser, "0x10")},
		{"image: a\nuser: 2147483648", `4: user: ` + said(noUser, "2147483648")},
		{"image: a\nuser: '1:'", `4: user: ` + said(noUser, "1:")},
		{"image: a\nuser: '1:2:3'", `4: user: ` + said(noUser, "1:2:3")},
		{"image: a\nuser: --root", `4: user: ` + said(noUser, "--root")},
		{"image: a\nuser: \"a\\nb\"", `4: user: ` + said(noUser, "a\nb")},
	} {
		t.Run(tt.want, func(t *testing.T) {
			is := is.New(t)
			file := "runtimes:\n  x:\n    " + strings.ReplaceAll(tt.definition, "\n", "\n    ")
			_, err := Presets().overlay("f.yaml", []byte(file))
			is.True(err != nil) // refused
			line, rest, _ := strings.Cut(tt.want, ": ")
			is.Equal(err.Error(), `f.yaml:`+line+`: runtime "x": `+rest) // says so
		})
	}
	for _, name := range []string{"X", "-x", "x/y", "x y", `"x\ny"`, "é", strings.Repeat("x", 64)} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := Presets().overlay("f.yaml", []byte("runtimes:\n  "+name+": {image: a}"))
			is.True(err != nil) // refused
			e, ok := errors.AsType[*Error](err)
			is.True(ok)                                   // typed
			is.Equal(e.Message, noName)                   // says so
			is.Equal(e.Line, 2)                           // where
			is.Equal(e.File, "f.yaml")                    // where
			is.Equal(strings.Count(err.Error(), "\n"), 0) // a name cannot forge a second line
		})
	}
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

// A value that YAML takes for a number, a boolean or a date is the text in the file.
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

// yaml.v3 would expand this to a thousand million strings; here no alias is followed.
func TestAliasBomb(t *testing.T) {
	is := is.New(t)
	var bomb strings.Builder
	bomb.WriteString("a: &a [x,x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c < 'j'; c++ {
		bomb.WriteString(string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n")
	}
	_, err := Presets().overlay("f.yaml", []byte(bomb.String()+"runtimes: *i"))
	is.True(strings.Contains(err.Error(), "f.yaml:10: runtimes: aliases and merge keys are not read"))
}

// Any file is refused or yields valid runtimes; none panics.
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
