package match

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// goOn is the stop of a search that nobody ends.
func goOn() error { return nil }

// How rules of several files come together, and that git says the same, is tested where the
// files are read.
func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name, rules   string
		ignored, kept string // names that end in a slash are directories
	}{
		{"name at any depth", "x", "x a/x x/", ""},
		{"directory", "build/", "build/ a/build/", ""},
		{"anchored", "/x\na/y", "x a/y", ""},
		{"star stops at a slash", "a/*/c", "a/b/c", ""},
		{"stars", "**/d/x\ne/**", "d/x a/d/x e/f/g", ""},
		{"class", "[[:digit:]]x\n[!a]y", "7x by", ""},
		{"the last rule wins", "*.log\n!keep.log", "a.log", "keep.log d/keep.log"},
		{"comments and escapes", "#a\n\\#b\n\\!c", "#b !c", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			rules := ParseIgnore([]byte(test.rules))
			judge := func(name string) Verdict {
				path, isDir := strings.CutSuffix(name, "/")
				v, err := rules.Judge(path, isDir, goOn)
				is.NoErr(err)
				return v
			}
			for name := range strings.FieldsSeq(test.ignored) {
				is.Equal(judge(name), Ignored)
			}
			for name := range strings.FieldsSeq(test.kept) {
				is.Equal(judge(name), Kept)
			}
			is.Equal(judge("other"), Undecided)
		})
	}
	t.Run("stop", func(t *testing.T) {
		is := is.New(t)
		enough := errors.New("enough")
		rules := ParseIgnore([]byte(strings.Repeat("x\n", 5000)))
		v, err := rules.Judge("y", false, func() error { return enough })
		is.Equal(v, Undecided)
		is.Equal(err, enough)
	})
}

// A hostile pattern is given up, and matches nothing.
func TestWildmatchBound(t *testing.T) {
	is := is.New(t)
	is.True(!wildmatch(strings.Repeat("**/a/", 60)+"b", strings.Repeat("a/", 1000)+"c", true))
	is.True(!wildmatch(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 250), false))
}
