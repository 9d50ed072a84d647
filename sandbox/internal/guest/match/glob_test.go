package match

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The cases of testdata/globs.json are for other packages, too: those whose patterns are to
// mean the same.
func TestMatch(t *testing.T) {
	text, err := os.ReadFile("testdata/globs.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Pattern, Name string
		Want          bool
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, test := range cases {
		t.Run(test.Pattern+" on "+test.Name, func(t *testing.T) {
			is := is.New(t)
			g, err := Compile(test.Pattern)
			is.NoErr(err)
			is.Equal(g.Match(test.Name), test.Want)
		})
	}
}

func TestCompileFails(t *testing.T) {
	for _, test := range []struct{ name, pattern, want string }{
		{"empty", "", `pattern "": is empty; write * for all names, ** for all below`},
		{"class without an end", "a/[b", `pattern "a/[b": a [ has no ]; write \[ for the character itself`},
		{"class across a slash", "a[/]b", `pattern "a[/]b": a [ has no ]; write \[ for the character itself`},
		{"range", "[z-a]", `pattern "[z-a]": the range z-a goes backwards`},
		{"backslash", `a\`, `pattern "a\\": a backslash at the end takes no character`},
		{"brace without an end", "{a,b", `pattern "{a,b": a { has no }; write \{ for the character itself`},
		{"too many braces", strings.Repeat("{a}", 101), "braces nested or repeated more than 100 times"},
		{"too many alternatives", strings.Repeat("{a,b}", 10), "the braces stand for more than 1000 patterns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			_, err := Compile(test.pattern)
			is.True(err != nil)
			is.True(strings.HasSuffix(err.Error(), test.want))
			_, err = CompileFilter("ok", test.pattern)
			is.True(err != nil)
		})
	}
}

func TestFilter(t *testing.T) {
	for _, test := range []struct{ name, pattern, yes, no string }{
		{"name at any depth", "*.o", "a.o d/a.o d/e/.o", "a.oo a.o/b"},
		{"class", "[.]git", ".git a/.git", "git .gitignore"},
		{"braces", "*.{o,a}", "x.o d/x.a", "x.c"},
		{"path", "build/*.o", "build/a.o", "a.o d/build/a.o build/d/a.o"},
		{"slash at the beginning", "/a", "a", "d/a"},
		{"slash at the end", "build/", "build", "a/build"},
		{"stars", "a/**/b", "a/b a/x/y/b", "x/a/b"},
		{"stars alone", "**", "a a/b", ""},
		{"alternatives of paths", "{a/b,c}", "a/b c", "b d/c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			f, err := CompileFilter("other", test.pattern)
			is.NoErr(err)
			for name := range strings.FieldsSeq(test.yes) {
				is.True(f.Match(name)) // matches
			}
			for name := range strings.FieldsSeq(test.no) {
				is.True(!f.Match(name)) // does not match
			}
		})
	}
	t.Run("of nothing", func(t *testing.T) {
		is := is.New(t)
		is.True(!Filter(nil).Match("a"))
	})
}

// A pattern that is made to be slow is not: each name is compared with each element once for
// the last ** alone.
func TestMatchIsBounded(t *testing.T) {
	is := is.New(t)
	g, err := Compile(strings.Repeat("**/a/", 60) + "b")
	is.NoErr(err)
	is.True(!g.Match(strings.Repeat("a/", 2000) + "c")) // or the test never ends
}

func TestStatesAreBounded(t *testing.T) {
	is := is.New(t)
	g, err := Compile(strings.Repeat("**/*/", 20) + "b")
	is.NoErr(err)
	states := g.States()
	for range 100 {
		states = states.Step("a", false, nil).Next.Enter()
	}
	is.True(len(states) <= 41) // one for each element and the end
}

// Whoever walks a tree with States comes to what Match says of the whole path.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"a/**/b", "a/x/b"}, {"{a,b/c}/*", "b/c/d"}, {"**/[a-c]?/**", "x/by/z"}, {"/a/b/", "/a/b"}, {`\*/\[`, "*/["}, {"**/.x", "a/.x"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		g, err := Compile(pattern)
		if err != nil || len(name) > 1000 {
			return
		}
		rooted := strings.HasPrefix(name, "/")
		one := &Glob{} // States leaves it to the walk whether it begins at the root
		for _, a := range g.alternatives {
			if a.rooted == rooted {
				one.alternatives = append(one.alternatives, a)
			}
		}
		var names []string
		for rest := name; ; {
			first, after, ok := cutElement(rest)
			if !ok {
				break
			}
			names, rest = append(names, first), after
		}
		states, matched := one.States(), false
		for i, name := range names {
			step := states.Step(name, true, nil)
			matched = step.MatchDir && i == len(names)-1
			if literals, ok := states.Literals(); ok && step.MatchDir && !strings.Contains("/"+strings.Join(literals, "/")+"/", "/"+name+"/") {
				t.Errorf("%q matches %q, which is none of %q", pattern, name, literals)
			}
			states = step.Next.Enter()
		}
		// A trailing ** stands for the directory itself, too, which a walk inside does not find.
		if got := g.Match(name); got != matched && !(got && done(states)) && len(names) > 0 {
			t.Errorf("%q on %q: %t, by steps %t", pattern, name, got, matched)
		}
	})
}

// done reports whether an alternative has nothing left to match.
func done(states States) bool {
	for _, s := range states {
		if s.next == len(s.elements) {
			return true
		}
	}
	return false
}
