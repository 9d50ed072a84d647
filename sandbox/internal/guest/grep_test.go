//go:build linux

package guest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// idle is a call that nobody gives up.
func idle() *call { return &call{quit: make(chan struct{})} }

// reference returns the right answer of grep for a text, in the slowest way there is.
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

// The ends of the windows of a file make no difference to matches, numbers and context.
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
		re := regexp.MustCompile("(?m:" + string(m.Pattern) + ")")
		e, err := match.CompileExpression(string(m.Pattern), match.Options{})
		is.NoErr(err)
		s := &fileGrep{grepper: &grepper{c: idle(), m: m, expression: e, root: file}, buf: make([]byte, 1<<16), step: 1 + rnd.IntN(60)}
		s.lines = e.Finder(512<<10, s.c.stopped)
		f := &findings{g: &gathering{limit: 1 << 30}}
		is.NoErr(s.c.run(func() error { return s.search("", f) }))
		var got []string
		for records := wire.NewRecords(f.buf); records.More(); {
			l, err := records.GrepLine()
			is.NoErr(err)
			got = append(got, fmt.Sprintf("%d%c%s", l.Number, "-:"[map[bool]int{true: 1}[l.Match]], l.Text))
		}
		want := reference(re, m, text.String())
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
		is.Equal(count, len(reference(re, &wire.Grep{}, text.String())))
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
		e, err := match.CompileExpression(string(m.Pattern), match.Options{})
		is.NoErr(err)
		s := &fileGrep{grepper: &grepper{c: idle(), m: m, expression: e, root: file}, buf: make([]byte, 64), step: 16}
		s.lines = e.Finder(512<<10, s.c.stopped)
		f := &findings{g: &gathering{limit: 1 << 30}}
		is.NoErr(s.c.run(func() error { return s.search("", f) }))
		var got strings.Builder
		for records := wire.NewRecords(f.buf); records.More(); {
			l, err := records.GrepLine()
			is.NoErr(err)
			fmt.Fprintf(&got, "%d %t %d|", l.Number, l.Match, l.Count)
		}
		want := "2 true 0|3 true 0|"
		if m.Count {
			want = "0 true 2|"
		}
		is.Equal(strings.Replace(got.String(), "1 false 0|", "", 1), want)
	}
}
