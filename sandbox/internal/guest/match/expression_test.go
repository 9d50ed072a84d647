package match

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// oddities are characters that regular expressions treat in ways of their own: letters with
// more than two cases, bytes that are no text, and the character that stands for those.
var oddities = []string{"a", "a", "b", "k", "s", "A", "S", "\u212a", "\u017f", "é", "É", " ", "_", "0", "\xff", "\ufffd", "\r", "世"}

func oddText(rnd *rand.Rand, n int) []byte {
	var b []byte
	for range rnd.IntN(n) {
		if rnd.IntN(6) == 0 {
			b = append(b, '\n')
		} else {
			b = append(b, oddities[rnd.IntN(len(oddities))]...)
		}
	}
	return b
}

// oddExpression is a random regular expression.
func oddExpression(rnd *rand.Rand, depth int) string {
	atoms := append([]string{".", `\w`, `\W`, `\d`, `\s`, "[ab]", "[^a]", "[k-s]", `\b`, `\B`, "^", "$", `\A`, `\z`, `\n`, "", "aa", "ab", "bka"}, oddities...)
	if depth == 0 {
		return strings.ReplaceAll(atoms[rnd.IntN(len(atoms))], "\xff", ".")
	}
	sub := func() string { return oddExpression(rnd, depth-1) }
	switch rnd.IntN(8) {
	case 0, 1, 2:
		return sub() + sub()
	case 3:
		return "(" + sub() + "|" + sub() + ")"
	case 4:
		return "(?:" + sub() + ")" + []string{"*", "+", "?", "{2}", "{0,2}", "*?"}[rnd.IntN(6)]
	case 5:
		return "(?i:" + sub() + ")"
	case 6:
		return sub() + sub() + sub()
	}
	return sub()
}

// Every way to speed a search up finds the lines that package regexp finds in each alone.
func TestLinesFound(t *testing.T) {
	is := is.New(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		pattern, o := oddExpression(rnd, 3), Options{IgnoreCase: rnd.IntN(4) == 0}
		e, err := CompileExpression(pattern, o)
		is.NoErr(err)
		finders := map[string]Finder{"as it is": e.Finder(512<<10, goOn)}
		finders["automaton"] = &lineFinder{Expression: e, stop: goOn, auto: newAutomaton(e.prog, 1<<20)}
		finders["small automaton"] = &lineFinder{Expression: e, stop: goOn, auto: newAutomaton(e.prog, 5000)}
		finders["regexp"] = &lineFinder{Expression: e, stop: goOn}
		if e.texts != nil {
			finders["texts"] = &lineFinder{Expression: e, stop: goOn, near: newNearest(e.texts)}
		}
		for range 8 {
			text := oddText(rnd, 60)
			var want []string
			for number, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
				if len(text) > 0 && e.re.Match(line) {
					want = append(want, fmt.Sprintf("%d:%s", number, line))
				}
			}
			for name, f := range finders {
				f.Begin(text)
				var got []string
				for pos := 0; pos < len(text); {
					start, end, ok, err := f.Next(pos)
					is.NoErr(err)
					if !ok {
						break
					}
					got = append(got, fmt.Sprintf("%d:%s", bytes.Count(text[:start], []byte("\n")), text[start:end]))
					pos = end + 1
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s: %q (ignore case %t) in %q: got %q, want %q; texts %+v", name, pattern, o.IgnoreCase, text, got, want, e.texts)
				}
			}
		}
	}
}

// Matches over several lines are those of FindAll, also if the text is too long to be searched
// in one go.
func TestSpansFound(t *testing.T) {
	is := is.New(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		pattern, o := oddExpression(rnd, 3), Options{Multiline: true, IgnoreCase: rnd.IntN(4) == 0}
		e, err := CompileExpression(pattern, o)
		is.NoErr(err)
		for range 8 {
			text := oddText(rnd, 60)
			matched := make(map[int]bool)
			for _, at := range e.re.FindAllIndex(text, -1) {
				if at[0] < len(text) || len(text) > 0 && text[len(text)-1] != '\n' {
					first := bytes.Count(text[:at[0]], []byte("\n"))
					for i := range bytes.Count(text[at[0]:max(at[0], at[1]-1)], []byte("\n")) + 1 {
						matched[first+i] = true
					}
				}
			}
			for _, direct := range []int{1 << 20, 0} {
				e.direct = direct
				f := e.Finder(0, goOn)
				f.Begin(text)
				got := make(map[int]bool)
				for pos := 0; pos < len(text); {
					start, end, ok, err := f.Next(pos)
					is.NoErr(err)
					if !ok {
						break
					}
					first := bytes.Count(text[:start], []byte("\n"))
					for i := range bytes.Count(text[start:end], []byte("\n")) + 1 {
						if got[first+i] {
							t.Fatalf("line %d twice", first+i)
						}
						got[first+i] = true
					}
					pos = end + 1
				}
				if fmt.Sprint(got) != fmt.Sprint(matched) {
					t.Fatalf("%q in %q, direct %d: got %v, want %v", pattern, text, direct, got, matched)
				}
			}
		}
	}
}

func TestRequiredTexts(t *testing.T) {
	for _, test := range []struct {
		pattern string
		want    string
		whole   bool
	}{
		{`func`, "[func]", true},
		{`(func)`, "[func]", true},
		{`\bfunc\b`, "[func]", false},
		{`^func `, "[func ]", false},
		{`func \(.*\) String\(\)`, "[) String()]", false},
		{`foo|bar|baz`, "[foo bar baz]", true},
		{`(foo|bar).*zip`, "[zip]", false},
		{`https?://x`, "[https://x http://x]", true},
		{`colou?r`, "[colour color]", true},
		{`(?i)todo`, "[todo]/i", true},
		{`(?i)task`, "[ta]/i", false},     // k has a third case
		{`(?i)x[^q]*fée`, "[x]/i", false}, // é is more than one byte
		{`x+yz`, "[yz]", false},
		{`(ab){3}`, "[ababab]", true},
		{`(foo)?`, "", false},
		{`(foo)*x`, "[x]", false},
		{`.*`, "", false},
		{`\w+`, "", false},
		{``, "", false},
		{`$`, "", false},
		{`a\x{fffd}b`, "[b]", false},   // bytes that are no text match, too
		{`[a-c]x`, "[ax bx cx]", true}, // few enough
		{`(?i:foo)bar`, "[bar]", false},
		{`foo|(?i:bar)`, "[foo bar]/i", false},
		{`foo|.`, "", false},
	} {
		t.Run(test.pattern, func(t *testing.T) {
			is := is.New(t)
			tree, err := syntax.Parse(test.pattern, syntax.Perl)
			is.NoErr(err)
			got := ""
			texts, whole := required(tree)
			if texts != nil {
				got = fmt.Sprint(texts.any)
				if texts.fold {
					got += "/i"
				}
			}
			is.Equal(got, test.want)
			is.Equal(whole, test.whole)
		})
	}
}

// An automaton whose states come and go is given up. Its results until then are right.
func TestAutomatonGivesUp(t *testing.T) {
	is := is.New(t)
	// What it has to remember doubles with each character.
	tree, err := syntax.Parse(`[ab]*a[ab]{14}c`, syntax.Perl)
	is.NoErr(err)
	prog, err := syntax.Compile(tree.Simplify())
	is.NoErr(err)
	a := newAutomaton(prog, 20_000)
	rnd := rand.New(rand.NewPCG(5, 6))
	text := make([]byte, 100_000)
	for i := range text {
		text[i] = "ab"[rnd.IntN(2)]
	}
	_, _, ok := a.find(text, 0)
	is.True(!ok)
	is.True(a.hard)
	is.True(a.memory < 40_000)
	is.Equal(newAutomaton(prog, 100), nil)
}

// A long text is left when stop says so, whatever looks at it.
func TestStop(t *testing.T) {
	enough := errors.New("enough")
	text := bytes.Repeat([]byte("a"), 1<<20)
	for _, o := range []Options{{}, {Multiline: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			is := is.New(t)
			e, err := CompileExpression("(a.*b|c)$", o)
			is.NoErr(err)
			e.texts, e.direct = nil, 0
			f := e.Finder(0, func() error { return enough })
			f.Begin(text)
			_, _, ok, err := f.Next(0)
			is.Equal(err, enough)
			is.True(!ok)
		})
	}
}
