//go:build linux

package guest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// idle is a call that nobody gives up.
func idle() *call { return &call{quit: make(chan struct{})} }

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

// Whatever speeds a search up finds the lines that package regexp finds in each by itself.
func TestLinesFound(t *testing.T) {
	is := is.New(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		m := &wire.Grep{Pattern: []byte(oddExpression(rnd, 3)), IgnoreCase: rnd.IntN(4) == 0}
		e, err := compileExpression(m)
		is.NoErr(err)
		finders := map[string]*byLine{"as it is": newByLine(idle(), e)}
		finders["automaton"] = &byLine{expression: e, c: idle(), auto: newAutomaton(e.prog, 1<<20)}
		finders["small automaton"] = &byLine{expression: e, c: idle(), auto: newAutomaton(e.prog, 5000)}
		finders["regexp"] = &byLine{expression: e, c: idle()}
		if e.texts != nil {
			finders["texts"] = &byLine{expression: e, c: idle(), near: newNearest(e.texts)}
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
				if f.auto != nil && name == "regexp" {
					continue
				}
				f.begin(text)
				var got []string
				for pos := 0; pos < len(text); {
					start, end, ok, err := f.next(pos)
					is.NoErr(err)
					if !ok {
						break
					}
					got = append(got, fmt.Sprintf("%d:%s", bytes.Count(text[:start], []byte("\n")), text[start:end]))
					pos = end + 1
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s: %q (ignore case %t) in %q: got %q, want %q; texts %+v", name, m.Pattern, m.IgnoreCase, text, got, want, e.texts)
				}
			}
		}
	}
}

// Matches over several lines are those of FindAll, also where the text is too long to be
// searched in one go.
func TestSpansFound(t *testing.T) {
	is := is.New(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		m := &wire.Grep{Pattern: []byte(oddExpression(rnd, 3)), Multiline: true, IgnoreCase: rnd.IntN(4) == 0}
		e, err := compileExpression(m)
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
				f := newAcrossLines(idle(), e)
				f.begin(text)
				got := make(map[int]bool)
				for pos := 0; pos < len(text); {
					start, end, ok, err := f.next(pos)
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
					t.Fatalf("%q in %q, direct %d: got %v, want %v", m.Pattern, text, direct, got, matched)
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

// An automaton whose states come and go is given up, and what it said until then holds.
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

// reference is what grep is to answer for a text, in the slowest way there is.
func reference(re *regexp.Regexp, m *wire.Grep, text string) (out []string) {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	matches := make([]bool, len(lines))
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\n")
		matches[i] = re.MatchString(lines[i])
	}
	for i, line := range lines {
		near := false
		for j := max(i-m.After, 0); j <= min(i+m.Before, len(lines)-1); j++ {
			near = near || matches[j]
		}
		line = strings.TrimSuffix(line, "\r")
		switch {
		case matches[i]:
			out = append(out, fmt.Sprintf("%d:%s", i+1, line))
		case near:
			out = append(out, fmt.Sprintf("%d-%s", i+1, line))
		}
	}
	return out
}

// Where a window of the file ends makes no difference: neither to what is found nor to
// numbers and context.
func TestWindows(t *testing.T) {
	is := is.New(t)
	rnd := rand.New(rand.NewPCG(7, 8))
	file := t.TempDir() + "/file"
	for range 1000 {
		var text strings.Builder
		for range rnd.IntN(40) {
			text.WriteString(strings.Repeat([]string{"a", "b", "ab ", "\r"}[rnd.IntN(4)], rnd.IntN(10)))
			if rnd.IntN(10) > 0 {
				text.WriteByte('\n')
			}
		}
		is.NoErr(os.WriteFile(file, []byte(text.String()), 0o644))
		m := &wire.Grep{Pattern: []byte([]string{"a", "ba", "^$", "b$", "[ab] b", "x"}[rnd.IntN(6)]), Before: rnd.IntN(4), After: rnd.IntN(4)}
		e, err := compileExpression(m)
		is.NoErr(err)
		s := &fileGrep{grepper: &grepper{c: idle(), m: m, expression: e, root: file}, buf: make([]byte, 1<<16), step: 1 + rnd.IntN(60)}
		s.lines = newByLine(s.c, e)
		f := &findings{g: &gathering{limit: 1 << 30}}
		is.NoErr(s.c.run(func() error { return s.search("", f) }))
		var got []string
		for records := wire.NewRecords(f.buf); records.More(); {
			l, err := records.GrepLine()
			is.NoErr(err)
			got = append(got, fmt.Sprintf("%d%c%s", l.Number, "-:"[map[bool]int{true: 1}[l.Match]], l.Text))
		}
		want := reference(e.re, m, text.String())
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("%q before %d after %d step %d in %q:\ngot  %q\nwant %q", m.Pattern, m.Before, m.After, s.step, text.String(), got, want)
		}
		m.Count = true
		f = &findings{g: &gathering{limit: 1 << 30}}
		is.NoErr(s.c.run(func() error { return s.search("", f) }))
		count := 0
		if len(f.buf) > 0 {
			l, err := wire.NewRecords(f.buf).GrepLine()
			is.NoErr(err)
			count = l.Count
		}
		is.Equal(count, strings.Count("|"+strings.Join(reference(e.re, &wire.Grep{}, text.String()), "|"), "|")-map[bool]int{true: 1}[len(reference(e.re, &wire.Grep{}, text.String())) == 0])
	}
}

// A line that is longer than the memory for it is searched in pieces, and is one line still.
func TestLongLine(t *testing.T) {
	is := is.New(t)
	file := t.TempDir() + "/file"
	text := "first\n" + strings.Repeat("-", 500) + "x" + strings.Repeat("-", 500) + "x\nlast x\n"
	is.NoErr(os.WriteFile(file, []byte(text), 0o644))
	for _, m := range []*wire.Grep{{}, {Before: 1, After: 1}, {Count: true}} {
		m.Pattern = []byte("x")
		e, err := compileExpression(m)
		is.NoErr(err)
		s := &fileGrep{grepper: &grepper{c: idle(), m: m, expression: e, root: file}, buf: make([]byte, 64), step: 16}
		s.lines = newByLine(s.c, e)
		f := &findings{g: &gathering{limit: 1 << 30}}
		is.NoErr(s.c.run(func() error { return s.search("", f) }))
		got := ""
		for records := wire.NewRecords(f.buf); records.More(); {
			l, err := records.GrepLine()
			is.NoErr(err)
			got += fmt.Sprintf("%d %t %d|", l.Number, l.Match, l.Count)
		}
		want := "2 true 0|3 true 0|"
		if m.Count {
			want = "0 true 2|"
		}
		is.Equal(strings.Replace(got, "1 false 0|", "", 1), want)
	}
}
