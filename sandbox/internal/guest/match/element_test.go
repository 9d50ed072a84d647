package match

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestElement(t *testing.T) {
	for _, test := range []struct {
		pattern, yes, no string
	}{
		{"*", "a .. \xff", ""}, // whether a dot is hidden is asked elsewhere
		{"a*", "a ab a\xff", "ba"},
		{"*a", "a ba", "ab"},
		{"a*b*c", "abc aXbYc abbcc", "ab acb abcd"},
		{"?", "a é \xff 世", "ab"},
		{"a?c", "abc aéc a\xffc", "ac abbc"},
		{"[a-c]", "a b c", "d -"},
		{"[!a-c]", "d é \xff", "a b"},
		{"[^a]", "b", "a"},
		{"[]a]", "] a", "b"},
		{"[!]a]", "b", "] a"},
		{"[a-]", "a -", "b"},
		{`[\]]`, "]", `\`},
		{`[a\-c]`, "a - c", "b"},
		{"[à-ý]", "é", "e"},
		{"[\xfe-\xff]", "\xff", "\xfd ÿ"},
		{"\xff*", "\xff \xffa", "ÿ"},
		{`\*a`, "*a", "ba"},
		{`\a?`, "ab", `\ab`},
		{"[*]", "*", "a"},
		{"a]", "a]", "a"},
		{"**a", "a ba", "ab"}, // within an element it is a star
	} {
		t.Run(test.pattern, func(t *testing.T) {
			is := is.New(t)
			s, err := compileElement(test.pattern)
			is.NoErr(err)
			for name := range strings.FieldsSeq(test.yes) {
				is.True(s.accepts(name, true)) // matches
			}
			for name := range strings.FieldsSeq(test.no) {
				is.True(!s.accepts(name, true)) // does not match
			}
		})
	}
	for pattern, text := range map[string]string{
		"[a":    "a [ has no ]; write \\[ for the character itself",
		"[]":    "a [ has no ]; write \\[ for the character itself",
		`[a\`:   "a [ has no ]; write \\[ for the character itself",
		"[z-a]": "the range z-a goes backwards",
		`*\`:    "a backslash at the end takes no character",
	} {
		t.Run(pattern, func(t *testing.T) {
			is := is.New(t)
			_, err := compileElement(pattern)
			is.Equal(err.Error(), text)
		})
	}
}

// Where package path knows the syntax, too, it says the same.
func TestElementAsPath(t *testing.T) {
	is := is.New(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	pieces := []string{"a", "b", "é", "*", "*", "?", "[ab]", "[^a]", "[a-é]", `\*`, `\a`, "-"}
	text := func(n int, from []string) string {
		var b strings.Builder
		for range rnd.IntN(n) {
			b.WriteString(from[rnd.IntN(len(from))])
		}
		return b.String()
	}
	for range 20_000 {
		pattern := "?" + text(6, pieces)
		s, err := compileElement(pattern)
		is.NoErr(err)
		name := text(8, []string{"a", "b", "é", "*", "-", "c"})
		want, err := path.Match(pattern, name)
		is.NoErr(err)
		if got := s.accepts(name, true); got != want {
			t.Fatalf("%q on %q: %t", pattern, name, got)
		}
	}
}
