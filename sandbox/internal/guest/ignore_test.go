//go:build linux

package guest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// globbed are the paths that a glob finds below a directory, without directories.
func (s *session) globbed(is *is.I, m wire.Glob) (paths []string, result wire.Searched) {
	is.Helper()
	m.Limit = 1 << 20
	data, err := s.collect(wire.OpGlob, &m, &result)
	is.NoErr(err)
	for records := wire.NewRecords(data); records.More(); {
		f, err := records.FileInfo()
		is.NoErr(err)
		if !os.FileMode(f.Mode).IsDir() {
			paths = append(paths, strings.TrimPrefix(string(f.Name), string(m.Dir)+"/"))
		}
	}
	return paths, result
}

// plant makes files, with directories above them.
func (s *session) plant(is *is.I, files map[string]string) {
	is.Helper()
	for name, text := range files {
		is.NoErr(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
		is.NoErr(os.WriteFile(s.path(name), []byte(text), 0o644))
	}
}

func TestIgnore(t *testing.T) {
	for _, test := range []struct {
		name  string
		rules map[string]string // files that hold them
		files string            // what there is beside
		want  string            // what is not ignored of that
	}{
		{"name at any depth", map[string]string{".gitignore": "x"}, "x a/x a/y x.y", "a/y x.y"},
		{"directory", map[string]string{".gitignore": "build/"}, "build/a a/build/b a/c b/build", "a/c b/build"},
		{"anchored by a slash at the beginning", map[string]string{".gitignore": "/x"}, "x a/x", "a/x"},
		{"and by one in the middle", map[string]string{".gitignore": "a/x"}, "a/x b/a/x", "b/a/x"},
		{"star", map[string]string{".gitignore": "*.o\nd/*.c"}, "a.o d/b.o d/b.c d/e/f.c .o", "d/e/f.c"},
		{"star does not cross a slash", map[string]string{".gitignore": "a/*/c"}, "a/b/c a/b/b/c", "a/b/b/c"},
		{"question mark", map[string]string{".gitignore": "a?c"}, "abc ac abbc", "abbc ac"},
		{"class", map[string]string{".gitignore": "[a-c]x\n[!z]y\n[[:digit:]]"}, "ax dx zy by 7 77", "77 dx zy"},
		{"leading stars", map[string]string{".gitignore": "**/d/x"}, "d/x a/d/x d/y x", "d/y x"},
		{"trailing stars", map[string]string{".gitignore": "d/**"}, "d/x d/e/y a/d/z", "a/d/z"},
		{"stars between", map[string]string{".gitignore": "a/**/z"}, "a/z a/b/z a/b/c/z b/z", "b/z"},
		{"a star after stars", map[string]string{".gitignore": "**/*b/c"}, "a/x/b/c a/x/c", "a/x/c"},
		{"negated", map[string]string{".gitignore": "*.log\n!keep.log"}, "a.log keep.log d/keep.log", "d/keep.log keep.log"},
		{"the last one wins", map[string]string{".gitignore": "!x\nx"}, "x y", "y"},
		{"not below what is ignored", map[string]string{".gitignore": "d/\n!d/x"}, "d/x y", "y"},
		{"but beside what is", map[string]string{".gitignore": "d/*\n!d/x"}, "d/x d/y", "d/x"},
		{"the inner file wins", map[string]string{".gitignore": "*.c", "d/.gitignore": "!x.c"}, "x.c d/x.c d/y.c d/e/x.c", "d/e/x.c d/x.c"},
		{"inner anchors", map[string]string{"d/.gitignore": "/x"}, "x d/x d/e/x", "d/e/x x"},
		{"exclude file", map[string]string{".git/info/exclude": "x\ny", ".gitignore": "!y"}, "x y z", "y z"},
		{"comments and escapes", map[string]string{".gitignore": "#x\n\\#y\n\\!z\n"}, "#x #y !z x", "#x x"},
		{"spaces at the end", map[string]string{".gitignore": "a  \nb\\ \n"}, "a b", "b"},
		{"line ends", map[string]string{".gitignore": "a\r\nb\r"}, "a b", ""},
		{"byte order mark", map[string]string{".gitignore": "\ufeffa"}, "a b", "b"},
		{"escaped star", map[string]string{".gitignore": `a\*`}, "a* ab", "ab"},
		{"other bytes", map[string]string{".gitignore": "\xff\n?\xfe"}, "\xff x\xfe y", "y"},
		{"nothing of all this", map[string]string{".gitignore": "\n/\n!\n[\n\\\n   \n"}, "a [ \\", "[ \\ a"},
		{"git's own", nil, ".git/config d/.git/config .gitmodules", ".gitmodules"},
		{"a repository below has its own rules", map[string]string{".gitignore": "x", "sub/.git/HEAD": "", "sub/.gitignore": "y"}, "x y sub/x sub/y", "sub/x y"},
		{"unless it is ignored", map[string]string{".gitignore": "sub", "sub/.git/HEAD": ""}, "x sub/x", "x"},
		{"a submodule", map[string]string{"sub/.git": "gitdir: ../.git/modules/sub\n", ".git/modules/sub/info/exclude": "x"}, "x sub/x sub/y", "sub/y x"},
		{"a further work tree", map[string]string{"tree/.git": "gitdir: ../.git/worktrees/tree\n", ".git/worktrees/tree/commondir": "../..\n", ".git/info/exclude": "/x"}, "x tree/x tree/y", "tree/y"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			s := serve(t, is, sessionOptions{})
			s.plant(is, test.rules)
			is.NoErr(os.MkdirAll(s.path(".git/info"), 0o755))
			var want []string
			for name := range strings.FieldsSeq(test.files) {
				s.plant(is, map[string]string{name: "text\n"})
			}
			for name := range strings.FieldsSeq(test.want) {
				want = append(want, name)
			}
			ours := func(path string) bool { return strings.HasSuffix(path, ".gitignore") }
			got, result := s.globbed(is, wire.Glob{Pattern: []byte("**"), Dir: []byte(s.dir), Hidden: true, GitIgnore: true})
			got = slices.DeleteFunc(got, ours)
			slices.Sort(got)
			is.Equal(strings.Join(got, " "), strings.Join(want, " "))
			is.Equal(result.Errors, 0)

			data, err := s.collect(wire.OpGrep, &wire.Grep{Pattern: []byte("text"), FilesOnly: true, Hidden: true, GitIgnore: true, Limit: 100}, &result)
			is.NoErr(err)
			got = nil
			for records := wire.NewRecords(data); records.More(); {
				l, err := records.GrepLine()
				is.NoErr(err)
				got = append(got, string(l.Path))
			}
			slices.Sort(got)
			is.Equal(strings.Join(got, " "), strings.Join(want, " ")) // and grep
		})
	}
}

// The directory that a search begins in decides on the rules: those from above count, and the
// directory itself is searched even if it is ignored.
func TestIgnoreFromBelow(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	s.plant(is, map[string]string{
		"repo/.git/HEAD": "", "repo/.gitignore": "*.o\n/a/b/x\nbuild/", "repo/a/.gitignore": "y",
		"repo/a/b/x": "", "repo/a/b/y": "", "repo/a/b/z.o": "", "repo/a/b/w": "", "repo/build/v": "", "repo/build/v.o": "",
		"plain/a/.gitignore": "x", "plain/a/x": "", "plain/b/x": "", "plain/.gitignore": "y", "plain/a/y": "",
	})
	is.NoErr(os.Symlink("repo/a", s.path("link")))
	for _, test := range []struct{ dir, pattern, want string }{
		{"repo/a/b", "**", "w"},
		{"repo/build", "*", "v"},
		{"repo", "build/*", ""}, // a pattern names nothing
		{"link/b", "*", "w"},
		{".", "link/b/*", "link/b/w"},
		{"repo/a/..", "a/b/*", "a/b/w"},
		{"repo/build", "../a/b/*", "../a/b/w"},
		{"plain/a", "*", "y"}, // without a repository what is above does not count
		{"plain", "*/*", "b/x"},
		{".", "repo/**", "repo/a/b/w"},
	} {
		t.Run(test.dir+" "+test.pattern, func(t *testing.T) {
			is := is.New(t)
			got, _ := s.globbed(is, wire.Glob{Pattern: []byte(test.pattern), Dir: []byte(test.dir), GitIgnore: true})
			is.Equal(strings.Join(got, " "), test.want)
		})
	}
}

// Rules that are no plain file, or too many, are an error of the directory and no more.
func TestIgnoreUnreadable(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"symlink":   func(path string) error { return os.Symlink("rules", path) },
		"fifo":      func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"huge":      func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x\n"), 200_000), 0o644) },
		"closed":    func(path string) error { return os.WriteFile(path, []byte("x"), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := serve(t, is, sessionOptions{})
			s.plant(is, map[string]string{"rules": "x", "x": ""})
			is.NoErr(plant(s.path(".gitignore")))
			got, result := s.globbed(is, wire.Glob{Pattern: []byte("[rx]*"), GitIgnore: true})
			is.Equal(strings.Join(got, " "), "rules x")
			is.Equal(result.Errors, 1)
		})
	}
}

// ruleOf makes up a line of a .gitignore.
func ruleOf(rnd *rand.Rand) string {
	pieces := []string{"a", "b", "ab", "c.o", ".h", "*", "?", "**", "[ab]", "[!a]", "[^b-c]", "[]a]", "[[:alpha:]]", "[a", `\a`, `\*`,
		"/", "/", "/", "**/", "/**", "/**/", " ", `\ `, "é", "[", "*.o", "a*"}
	var rule strings.Builder
	if rnd.IntN(4) == 0 {
		rule.WriteString([]string{"!", "/", "#", `\!`, `\#`, "**/", "!/"}[rnd.IntN(7)])
	}
	for range 1 + rnd.IntN(4) {
		rule.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	if rnd.IntN(4) == 0 {
		rule.WriteString([]string{"/", " ", "\r", `\`, "/**", "\t"}[rnd.IntN(6)])
	}
	return rule.String()
}

// What git itself would ignore is ignored.
func TestIgnoreAsGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git to compare with")
	}
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	rnd := rand.New(rand.NewPCG(9, 10))
	names := []string{"a", "b", "ab", "c.o", ".h", "a b", "é", "#a", "!b", "[a", "aab", `a\`, "b ", "*"}
	for round := range 150 {
		dir := fmt.Sprint(round)
		files := map[string]string{dir + "/.git/HEAD": "ref: refs/heads/main\n", dir + "/.git/objects/x": "", dir + "/.git/refs/x": "", dir + "/.git/info/exclude": ""}
		rules := func() string {
			var text strings.Builder
			for range 1 + rnd.IntN(4) {
				text.WriteString(ruleOf(rnd) + "\n")
			}
			return text.String()
		}
		files[dir+"/.gitignore"] = rules()
		if rnd.IntN(3) == 0 {
			files[dir+"/.git/info/exclude"] = rules()
		}
		dirs := []string{""}
		for range 8 {
			in := dirs[rnd.IntN(len(dirs))] + names[rnd.IntN(len(names))] + "/"
			if dirs = append(dirs, in); rnd.IntN(4) == 0 {
				files[dir+"/"+in+".gitignore"] = rules()
			}
		}
		for range 40 {
			name := dirs[rnd.IntN(len(dirs))] + names[rnd.IntN(len(names))]
			if !slices.Contains(dirs, name+"/") {
				files[dir+"/"+name] = ""
			}
		}
		s.plant(is, files)
		cmd := exec.Command(git, "-c", "safe.directory=*", "-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false",
			"ls-files", "-o", "--exclude-standard", "-z")
		cmd.Dir = s.path(dir)
		cmd.Env = []string{"HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
		out, err := cmd.Output()
		is.NoErr(err)
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		slices.Sort(want)
		got, result := s.globbed(is, wire.Glob{Pattern: []byte("**"), Dir: []byte(s.path(dir)), Hidden: true, GitIgnore: true})
		slices.Sort(got)
		is.Equal(result.Errors, 0)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			var rules []string
			for name, text := range files {
				if strings.HasSuffix(name, ".gitignore") || strings.HasSuffix(name, "/exclude") {
					rules = append(rules, fmt.Sprintf("%s: %q", name, text))
				}
			}
			for _, name := range slices.Concat(got, want) {
				if slices.Contains(got, name) != slices.Contains(want, name) {
					t.Errorf("%q: ignored by git %t, here %t", name, !slices.Contains(want, name), !slices.Contains(got, name))
				}
			}
			t.Fatalf("round %d, rules:\n%s", round, strings.Join(rules, "\n"))
		}
	}
}
