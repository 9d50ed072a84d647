//go:build unix

package drydock

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// project writes files and a catalogue file that names them, and returns the path of the latter.
func project(t *testing.T, definition string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["runtimes.yaml"] = "runtimes:\n  lab:\n    base_image: x\n    requirements: " + definition + "\n"
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "runtimes.yaml")
}

func TestRequirements(t *testing.T) {
	is := is.New(t)
	files := map[string]string{"requirements/base.txt": "a==1\n", "web/package.json": "{}", "web/package-lock.json": "{\"lock\": 1}"}
	file := project(t, "{pip: requirements/base.txt, npm: web/package.json}", files)
	c, err := Load(file)
	is.NoErr(err)
	r, err := c.Runtime("lab")
	is.NoErr(err)
	is.Equal(r.Requirements, map[Manager]Requirements{
		Pip: {"base.txt": "a==1\n"}, NPM: {"package.json": "{}", "package-lock.json": "{\"lock\": 1}"},
	})
	is.NoErr(r.Validate())

	// The text of the files counts, not only their names.
	is.NoErr(os.WriteFile(filepath.Join(filepath.Dir(file), "requirements/base.txt"), []byte("a==2\n"), 0o600))
	c, err = Load(file)
	is.NoErr(err)
	changed, err := c.Runtime("lab")
	is.NoErr(err)
	is.True(changed.Hash() != r.Hash())

	// A copy is the caller's own. A runtime that extends it inherits the files, or has its own.
	r.Requirements[Pip]["base.txt"] = "changed"
	again, err := c.Runtime("lab")
	is.NoErr(err)
	is.Equal(again.Requirements[Pip]["base.txt"], "a==2\n")
	next := filepath.Join(filepath.Dir(file), "next.yaml")
	is.NoErr(os.WriteFile(filepath.Join(filepath.Dir(file), "own.txt"), []byte("b"), 0o600))
	is.NoErr(os.WriteFile(next, []byte("runtimes: {one: {extends: lab}, two: {extends: lab, requirements: {pip: own.txt}}}"), 0o600))
	c, err = Load(file, next)
	is.NoErr(err)
	one, err := c.Runtime("one")
	is.NoErr(err)
	is.Equal(one.Requirements, again.Requirements)
	two, err := c.Runtime("two")
	is.NoErr(err)
	is.Equal(two.Requirements, map[Manager]Requirements{Pip: {"own.txt": "b"}, NPM: again.Requirements[NPM]})
}

func TestRefusedRequirements(t *testing.T) {
	for _, tt := range []struct{ definition, want string }{
		{"{pip: none.txt}", `requirements.pip: "none.txt" cannot be read: no such file or directory; write a file in the directory of this one, or below`},
		{"{pip: ../x}", `requirements.pip: "../x" cannot be read: path escapes from parent; write a file in the directory of this one, or below`},
		{"{pip: /etc/passwd}", `requirements.pip: "/etc/passwd" cannot be read: path escapes from parent; write a file in the directory of this one, or below`},
		{"{pip: link.txt}", `requirements.pip: "link.txt" cannot be read: path escapes from parent; write a file in the directory of this one, or below`},
		{"{pip: fifo}", `requirements.pip: "fifo" cannot be read: not a regular file; write a file in the directory of this one, or below`},
		{"{pip: dir}", `requirements.pip: "dir" cannot be read: not a regular file; write a file in the directory of this one, or below`},
		{"{pip: empty.txt}", `requirements.pip: empty.txt is empty; write what to install, or leave it out`},
		{"{pip: binary.txt}", `requirements.pip: binary.txt is not UTF-8 text`},
		{"{pip: huge.txt}", fmt.Sprintf(`requirements.pip: huge.txt has %d bytes; at most %d`, maxRequirements+1, maxRequirements)},
		{"{pip: -x.txt}", `requirements.pip: "-x.txt" is not a name of a requirement file; write letters, digits and . _ -`},
		{"{npm: a.txt}", `requirements.npm: "a.txt" is not a package.json`},
		{"{apt: a.txt}", `requirements: unknown key "apt"; known: pip, npm`},
		{"{pip: [a.txt]}", `requirements.pip: found a list; write text`},
		{"a.txt", `requirements: found text; write a mapping, such as {pip: requirements.txt}`},
	} {
		t.Run(tt.definition, func(t *testing.T) {
			is := is.New(t)
			file := project(t, tt.definition, map[string]string{"a.txt": "a", "empty.txt": " \n", "binary.txt": "a\x00", "dir/x": "",
				"huge.txt": strings.Repeat("x", maxRequirements+1), "-x.txt": "x"})
			dir := filepath.Dir(file)
			is.NoErr(os.Symlink("/etc/passwd", filepath.Join(dir, "link.txt")))
			is.NoErr(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
			_, err := Load(file)
			is.True(err != nil)
			is.Equal(err.Error(), file+`:4: runtime "lab": `+tt.want)
		})
	}
	t.Run("in Go", func(t *testing.T) {
		is := is.New(t)
		for _, tt := range []struct {
			requirements map[Manager]Requirements
			want         string
		}{
			{map[Manager]Requirements{Pip: nil}, "pip: 0 files; pip takes one, such as requirements.txt"},
			{map[Manager]Requirements{Pip: {"a": "x", "b": "x"}}, "pip: 2 files; pip takes one, such as requirements.txt"},
			{map[Manager]Requirements{NPM: {"package-lock.json": "x"}}, "npm: npm takes package.json, and package-lock.json beside it"},
			{map[Manager]Requirements{NPM: {"package.json": "x", "other": "x"}}, "npm: npm takes package.json, and package-lock.json beside it"},
			{map[Manager]Requirements{Cargo: {"Cargo.toml": "x"}}, `cargo: unknown manager "cargo"; known: pip, npm`},
			{map[Manager]Requirements{Pip: {"../a": "x"}}, `pip: "../a" is not a name of a requirement file; write letters, digits and . _ -`},
		} {
			err := Runtime{BaseImage: "x", Requirements: tt.requirements}.Validate()
			is.True(err != nil)                            // refused
			is.Equal(err.Error(), "requirements."+tt.want) // says so
		}
		is.True(Runtime{Image: "x", Requirements: map[Manager]Requirements{Pip: {"a": "x"}}}.Validate() != nil) // nothing is installed on it
	})
}
