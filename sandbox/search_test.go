package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// tree is written into a sandbox by the tests of searches.
var tree = map[string]string{
	"main.go":             "package main\n\nfunc main() {\n\tprintln(\"hello\")\n}\n",
	"README.md":           "# Title\n\nHello world\n",
	"src/a.go":            "package src\n// hello again\n",
	"src/b.py":            "print('hello')\r\nx = 1\r\n",
	"src/deep/er/c.go":    "package er",
	"src/deep/er/d.txt":   "one\ntwo\nthree\nfour\nfive\nsix\n",
	".hidden/secret.go":   "hello from below\n",
	".env":                "KEY=hello\n",
	"bin.dat":             "hello\x00binary\n",
	"with space.txt":      "hello, space\n",
	"-dash.txt":           "hello, dash\n",
	"new\nline.txt":       "hello, newline\n",
	"bytes\xff.txt":       "hello, bytes\n",
	"a[b].txt":            "brackets\n",
	"node_modules/m/i.js": "hello module\n",
	"repo/.git/HEAD":      "needle\n",
	"repo/.gitignore":     "*.log\n!keep.log\nbuild/\n/sub/*.txt\n",
	"repo/a.log":          "needle\n",
	"repo/keep.log":       "needle\n",
	"repo/build/x":        "needle\n",
	"repo/sub/y.txt":      "needle\n",
	"repo/sub/z/y.txt":    "needle\n",
}

func plant(t testing.TB, sb *sandbox.Sandbox) {
	t.Helper()
	for name, text := range tree {
		if _, err := sb.WriteFile(context.Background(), name, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func paths(r *sandbox.GlobResult) string {
	var out []string
	for _, m := range r.Matches {
		out = append(out, m.Path)
	}
	return strings.Join(out, "|")
}

func lines(r *sandbox.GrepResult) string {
	var out []string
	for _, l := range r.Lines {
		mark := "-"
		if l.Match {
			mark = ":"
		}
		out = append(out, fmt.Sprintf("%s%s%d%s%s", l.Path, mark, l.Number, mark, l.Text))
	}
	return strings.Join(out, "|")
}

// The answers are the guest's own, so they are the same whatever the image holds.
func TestSearchOnEveryImage(t *testing.T) {
	for _, image := range []string{"localhost/drydock/debian:bookworm", enginetest.Busybox, enginetest.Static} {
		t.Run(image, func(t *testing.T) {
			sb := enginetest.Open(t, sandbox.Options{Image: image})
			plant(t, sb)
			ctx := context.Background()
			for _, test := range []struct {
				pattern string
				opts    *sandbox.GlobOptions
				want    string
			}{
				{"*.go", nil, "main.go"},
				{"**/*.go", nil, "main.go|src/a.go|src/deep/er/c.go"},
				{"**/*.go", &sandbox.GlobOptions{Hidden: true}, ".hidden/secret.go|main.go|src/a.go|src/deep/er/c.go"},
				{"src/**", nil, "src/a.go|src/b.py|src/deep|src/deep/er|src/deep/er/c.go|src/deep/er/d.txt"},
				{"**/er/*.{go,txt}", nil, "src/deep/er/c.go|src/deep/er/d.txt"},
				{"{main.go,src/*.py}", nil, "main.go|src/b.py"},
				{"?ain.g[!a-n]", nil, "main.go"},
				{"*.g[a-n]", nil, ""},
				{".*", nil, ".env|.hidden"},
				{".e?v", nil, ".env"},
				{"-*", nil, "-dash.txt"},
				{"* *", nil, "with space.txt"},
				{"new*", nil, "new\nline.txt"},
				{"bytes?.txt", nil, "bytes\xff.txt"},
				{`a\[b\].txt`, nil, "a[b].txt"},
				{"a[[]b].txt", nil, "a[b].txt"},
				{"src/../main.go", nil, "src/../main.go"},
				{"*.go", &sandbox.GlobOptions{Dir: "src"}, "src/a.go"},
				{"*.go", &sandbox.GlobOptions{Dir: "/workspace/src/"}, "/workspace/src/a.go"},
				{"/workspace/s*/a.go", nil, "/workspace/src/a.go"},
				{"none/*", nil, ""},
				{"src/*/*/c.go", nil, "src/deep/er/c.go"},
				{"**/deep/**/*.go", nil, "src/deep/er/c.go"},
				{"src/**/er", nil, "src/deep/er"},
				{"**/er/**", nil, "src/deep/er/c.go|src/deep/er/d.txt"},
				{"s**c/a.go", nil, "src/a.go"}, // no more than a star
				{"*/*.py", nil, "src/b.py"},
				{"src/*/", nil, "src/deep"},
				{"main.go/", nil, ""},
				{"src/**/", nil, "src/deep|src/deep/er"},
				{"{src/a,main}.{go,py}", nil, "main.go|src/a.go"},
				{"[!a-z]*.txt", nil, "-dash.txt"},
				{"bytes[\xff]*", nil, "bytes\xff.txt"},
				{"../workspace/main.go", nil, "../workspace/main.go"},
				{"src//./a.go", nil, "src/a.go"},
				{"**", &sandbox.GlobOptions{Dir: "src/deep"}, "src/deep/er|src/deep/er/c.go|src/deep/er/d.txt"},
				{"repo/**", nil, "repo/a.log|repo/build|repo/build/x|repo/keep.log|repo/sub|repo/sub/y.txt|repo/sub/z|repo/sub/z/y.txt"},
				{"repo/**", &sandbox.GlobOptions{GitIgnore: true}, "repo/keep.log|repo/sub|repo/sub/z|repo/sub/z/y.txt"},
				{"**", &sandbox.GlobOptions{GitIgnore: true, Hidden: true, Dir: "repo"}, "repo/.gitignore|repo/keep.log|repo/sub|repo/sub/z|repo/sub/z/y.txt"},
				{"*", &sandbox.GlobOptions{GitIgnore: true, Dir: "repo/build"}, "repo/build/x"}, // named
			} {
				t.Run("glob "+test.pattern, func(t *testing.T) {
					is := is.New(t)
					r, err := sb.Glob(ctx, test.pattern, test.opts)
					is.NoErr(err)
					is.Equal(paths(r), test.want)
					is.Equal(r.Errors, 0)
				})
			}
			for _, test := range []struct {
				name, pattern string
				opts          *sandbox.GrepOptions
				want          string
			}{
				{"all", "hello", nil, "-dash.txt:1:hello, dash|bytes\xff.txt:1:hello, bytes|main.go:4:\tprintln(\"hello\")|new\nline.txt:1:hello, newline|node_modules/m/i.js:1:hello module|src/a.go:2:// hello again|src/b.py:1:print('hello')|with space.txt:1:hello, space"},
				{"case", "HELLO w", &sandbox.GrepOptions{IgnoreCase: true}, "README.md:3:Hello world"},
				{"include", "hello", &sandbox.GrepOptions{Include: []string{"*.{go,py}"}}, "main.go:4:\tprintln(\"hello\")|src/a.go:2:// hello again|src/b.py:1:print('hello')"},
				{"include by path", "package", &sandbox.GrepOptions{Include: []string{"src/**/*.go"}}, "src/a.go:1:package src|src/deep/er/c.go:1:package er"},
				{"hidden", "hello", &sandbox.GrepOptions{Hidden: true, Include: []string{".*", "secret.go"}}, ".env:1:KEY=hello|.hidden/secret.go:1:hello from below"},
				{"directory", "hello", &sandbox.GrepOptions{Path: "src"}, "src/a.go:2:// hello again|src/b.py:1:print('hello')"},
				{"file", "^t", &sandbox.GrepOptions{Path: "src/deep/er/d.txt"}, "src/deep/er/d.txt:2:two|src/deep/er/d.txt:3:three"},
				{"hidden file by name", "KEY", &sandbox.GrepOptions{Path: ".env"}, ".env:1:KEY=hello"},
				{"absolute", "one", &sandbox.GrepOptions{Path: "/workspace/src"}, "/workspace/src/deep/er/d.txt:1:one"},
				{"context", "three", &sandbox.GrepOptions{Before: 1, After: 2}, "src/deep/er/d.txt-2-two|src/deep/er/d.txt:3:three|src/deep/er/d.txt-4-four|src/deep/er/d.txt-5-five"},
				{"context runs together", "two|four", &sandbox.GrepOptions{Before: 1, After: 1}, "src/deep/er/d.txt-1-one|src/deep/er/d.txt:2:two|src/deep/er/d.txt-3-three|src/deep/er/d.txt:4:four|src/deep/er/d.txt-5-five"},
				{"no line spans", `two\sthree`, nil, ""},
				{"multiline", `two\sthree`, &sandbox.GrepOptions{Multiline: true}, "src/deep/er/d.txt:2:two|src/deep/er/d.txt:3:three"},
				{"end of a last line without end", `er$`, &sandbox.GrepOptions{Path: "src/deep/er/c.go"}, "src/deep/er/c.go:1:package er"},
				{"end", `$`, &sandbox.GrepOptions{Path: "src/deep/er/c.go"}, "src/deep/er/c.go:1:package er"},
				{"empty pattern", ``, &sandbox.GrepOptions{Path: "README.md"}, "README.md:1:# Title|README.md:2:|README.md:3:Hello world"},
				{"files", "hello", &sandbox.GrepOptions{FilesOnly: true, Path: "src"}, "src/a.go:0:|src/b.py:0:"},
				{"line end", `\)\r$`, nil, "src/b.py:1:print('hello')"},
				{"ignored", "needle", nil, "repo/a.log:1:needle|repo/build/x:1:needle|repo/keep.log:1:needle|repo/sub/y.txt:1:needle|repo/sub/z/y.txt:1:needle"},
				{"not ignored", "needle", &sandbox.GrepOptions{GitIgnore: true, Hidden: true}, "repo/keep.log:1:needle|repo/sub/z/y.txt:1:needle"},
				{"ignored and named", "needle", &sandbox.GrepOptions{GitIgnore: true, Path: "repo/a.log"}, "repo/a.log:1:needle"},
				{"include and ignored", "needle", &sandbox.GrepOptions{GitIgnore: true, Include: []string{"*.{txt,log}"}}, "repo/keep.log:1:needle|repo/sub/z/y.txt:1:needle"},
				{"context at both ends", "^(one|six)$", &sandbox.GrepOptions{Before: 9, After: 1}, "src/deep/er/d.txt:1:one|src/deep/er/d.txt-2-two|src/deep/er/d.txt-3-three|src/deep/er/d.txt-4-four|src/deep/er/d.txt-5-five|src/deep/er/d.txt:6:six"},
				{"context ends with the file", "package", &sandbox.GrepOptions{Path: "src", Before: 5, After: 5}, "src/a.go:1:package src|src/a.go-2-// hello again|src/deep/er/c.go:1:package er"},
				{"binary", "binary", nil, ""},
				{"name with a line end", "newline", nil, "new\nline.txt:1:hello, newline"},
				{"path with dots", "^t", &sandbox.GrepOptions{Path: "./src/../src/deep/er"}, "./src/../src/deep/er/d.txt:2:two|./src/../src/deep/er/d.txt:3:three"},
				{"class without a literal", `^[a-z]{5}$`, nil, "src/deep/er/d.txt:3:three"},
				{"word", `(?i)\bHELLO\b, s`, nil, "with space.txt:1:hello, space"},
				{"limit", "e", &sandbox.GrepOptions{Limit: 2, Path: "src/deep/er/d.txt"}, "src/deep/er/d.txt:1:one|src/deep/er/d.txt:3:three"},
			} {
				t.Run("grep "+test.name, func(t *testing.T) {
					is := is.New(t)
					r, err := sb.Grep(ctx, test.pattern, test.opts)
					is.NoErr(err)
					is.Equal(lines(r), test.want)
					is.Equal(r.More, test.name == "limit")
				})
			}
			t.Run("count", func(t *testing.T) {
				is := is.New(t)
				r, err := sb.Grep(ctx, "o", &sandbox.GrepOptions{Count: true, Path: "src/deep/er"})
				is.NoErr(err)
				is.Equal(len(r.Lines), 1)
				is.Equal(r.Lines[0].Count, 3)
			})
			t.Run("newest and limit", func(t *testing.T) {
				is := is.New(t)
				_, err := sb.WriteFile(ctx, "src/b.py", []byte("print('hello')\r\nx = 1\r\n"), nil)
				is.NoErr(err)
				r, err := sb.Glob(ctx, "**", &sandbox.GlobOptions{Newest: true, Limit: 1})
				is.NoErr(err)
				is.True(r.More)
				is.True(paths(r) == "src/b.py" || paths(r) == "src") // the same moment
				r, err = sb.Glob(ctx, "**", &sandbox.GlobOptions{Limit: 2})
				is.NoErr(err)
				is.Equal(paths(r), "-dash.txt|README.md")
				is.True(r.More)
			})
		})
	}
}

func TestSearchRefused(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	for _, test := range []struct {
		name string
		do   func() error
		text string
		err  error
	}{
		{"expression", func() error { _, err := sb.Grep(ctx, "a(", nil); return err }, "missing closing ): `(?m:a()` (the syntax is RE2)", fs.ErrInvalid},
		{"missing path", func() error { _, err := sb.Grep(ctx, "a", &sandbox.GrepOptions{Path: "no"}); return err }, "no such file", fs.ErrNotExist},
		{"class", func() error { _, err := sb.Glob(ctx, "[a", nil); return err }, `a [ has no ]; write \[ for the character itself`, fs.ErrInvalid},
		{"brace", func() error { _, err := sb.Glob(ctx, "{a,b", nil); return err }, `a { has no }; write \{ for the character itself`, fs.ErrInvalid},
		{"many", func() error { _, err := sb.Glob(ctx, strings.Repeat("{a,b}", 20), nil); return err }, "more than 1000 patterns", fs.ErrInvalid},
		{"empty", func() error { _, err := sb.Glob(ctx, "", nil); return err }, "is empty; write * for all names", fs.ErrInvalid},
		{"missing dir", func() error { _, err := sb.Glob(ctx, "*", &sandbox.GlobOptions{Dir: "no"}); return err }, "no such file", fs.ErrNotExist},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			err := test.do()
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), test.text))
			is.True(errors.Is(err, test.err))
		})
	}
}

// One unreadable directory does not spoil the rest, and a loop of links does not end it.
func TestSearchObstacles(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	r, err := sb.Exec(ctx, `mkdir closed a && echo x > a/f && ln -s . loop && ln -s a link && mkfifo pipe && ln -s none dangling
		chmod 000 closed && head -c 3000000 /dev/zero | tr '\0' y > a/long && echo >> a/long && echo x2 >> a/long`)
	is.NoErr(err)
	is.True(r.OK())
	g, err := sb.Glob(ctx, "**/f", nil)
	is.NoErr(err)
	is.Equal(paths(g), "a/f")
	is.Equal(g.Errors, 1)
	g, err = sb.Glob(ctx, "link/*", nil)
	is.NoErr(err)
	is.Equal(paths(g), "link/f|link/long") // named, so entered
	found, err := sb.Grep(ctx, "x", nil)
	is.NoErr(err)
	is.Equal(lines(found), "a/f:1:x|a/long:2:x2") // also behind a line of 3 MB
	is.Equal(found.Errors, 1)
	found, err = sb.Grep(ctx, "y", nil)
	is.NoErr(err)
	is.Equal(len(found.Lines[0].Text), 2000)
	// What has no end or blocks is no file, and is passed by.
	found, err = sb.Grep(ctx, "x", &sandbox.GrepOptions{Path: "/dev", Hidden: true})
	is.NoErr(err)
	is.Equal(len(found.Lines), 0)
	_, err = sb.Grep(ctx, "x", &sandbox.GrepOptions{Path: "pipe"})
	is.True(strings.Contains(err.Error(), "not a regular file"))
	// Files that change with each look, or say that they are empty.
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	found, err = sb.Grep(bounded, "^MemTotal:", &sandbox.GrepOptions{Path: "/proc"})
	is.NoErr(err)
	is.True(strings.HasPrefix(lines(found), "/proc/meminfo:1:MemTotal:"))
	is.True(found.Errors > 0) // some are root's
	_, err = sb.Grep(bounded, "no such text", &sandbox.GrepOptions{Path: "/sys"})
	is.NoErr(err)
	// Glob follows a loop of symlinks exactly as often as the pattern says.
	g, err = sb.Glob(ctx, "loop/loop/loop/link/*", nil)
	is.NoErr(err)
	is.Equal(paths(g), "loop/loop/loop/link/f|loop/loop/loop/link/long")
	g, err = sb.Glob(ctx, strings.Repeat("loop/", 100)+"*", nil) // more than the kernel follows
	is.NoErr(err)
	is.Equal(len(g.Matches), 0)
}

// Searches work within the memory of the smallest sandbox, whatever the files are.
func TestSearchInLittleMemory(t *testing.T) {
	is := is.New(t)
	enginetest.Engine(t)
	dir := t.TempDir()
	is.NoErr(os.Mkdir(dir+"/many", 0o755))
	for i := range 12_000 {
		is.NoErr(os.WriteFile(fmt.Sprintf("%s/many/%05d-%s", dir, i, strings.Repeat("n", 100)), nil, 0o644))
	}
	is.NoErr(os.WriteFile(dir+"/line", bytes.Repeat([]byte("long line "), 4<<20), 0o644)) // of 40 MiB
	is.NoErr(os.WriteFile(dir+"/lines", bytes.Repeat([]byte("a short line\n"), 3<<20), 0o644))
	is.NoErr(os.WriteFile(dir+"/.gitignore", bytes.Repeat([]byte("*x\n"), 80_000), 0o644))
	sb := enginetest.Open(t, sandbox.Options{Memory: 16 << 20, Mounts: []sandbox.Mount{{Source: dir, Target: "/data", ReadOnly: true}}})
	ctx := context.Background()
	var all errgroup
	for range 4 {
		all.Go(func() error {
			r, err := sb.Glob(ctx, "**", &sandbox.GlobOptions{Dir: "/data", GitIgnore: true, Newest: true, Limit: 100})
			if err == nil && (len(r.Matches) != 100 || !r.More) {
				err = fmt.Errorf("%d matches", len(r.Matches))
			}
			return err
		})
		for _, opts := range []sandbox.GrepOptions{{}, {Before: 1000, After: 1000}, {Multiline: true}, {FilesOnly: true}} {
			opts.Path, opts.Limit = "/data", 1000
			all.Go(func() error { _, err := sb.Grep(ctx, "(?i)line", &opts); return err })
		}
	}
	is.NoErr(all.Wait())
	r, err := sb.Glob(ctx, "**", &sandbox.GlobOptions{Dir: "/data"})
	is.NoErr(err)
	is.Equal(len(r.Matches), sandbox.DefaultMatches)
	found, err := sb.Grep(ctx, "line", &sandbox.GrepOptions{Path: "/data", Count: true})
	is.NoErr(err)
	is.Equal(len(found.Lines), 2)
	is.Equal(found.Lines[0].Count, 1)
	is.Equal(found.Lines[1].Count, 3<<20)
	stats, err := sb.Stats(ctx)
	is.NoErr(err)
	t.Logf("%d KiB in use", stats.Memory>>10)
}
