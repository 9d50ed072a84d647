//go:build linux

package guest

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// expression is a regular expression to look for, and what speeds that up.
type expression struct {
	re     *regexp.Regexp
	prog   *syntax.Prog
	after  *regexp.Regexp // the same behind one more character, where what is before matters
	texts  *texts         // one is in each match, or nil
	whole  bool           // and is one
	direct int            // how many bytes package regexp gets through in a moment
}

func compileExpression(m *wire.Grep) (*expression, error) {
	flags := "m"
	if m.IgnoreCase {
		flags += "i"
	}
	if m.Multiline {
		flags += "s"
	}
	text := "(?" + flags + ":" + string(m.Pattern) + ")"
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("pattern %q: %v (the syntax is RE2)", m.Pattern, err)}
	}
	p := &expression{re: re}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	p.texts, p.whole = required(tree)
	if p.prog, err = syntax.Compile(tree.Simplify()); err != nil {
		return nil, err
	}
	p.direct = min(max(8<<20/len(p.prog.Inst), 4<<10), 256<<10)
	for i := range p.prog.Inst {
		if m.Multiline && p.prog.Inst[i].Op == syntax.InstEmptyWidth && p.after == nil {
			if p.after, err = regexp.Compile("(?s:.)" + text); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// lineFinder finds the lines of a text that match, one after the other.
type lineFinder interface {
	// begin gives it another text.
	begin(text []byte)
	// next returns where a line that matches begins and ends, or several in a row. pos is
	// where a line begins, and never less than the time before.
	next(pos int) (start, end int, ok bool, err error)
}

// byLine looks at each line by itself.
type byLine struct {
	*expression
	c    *call
	text []byte
	near *nearest   // nil where no texts help
	auto *automaton // or nil
}

func newByLine(c *call, p *expression) *byLine {
	f := &byLine{expression: p, c: c, auto: newAutomaton(p.prog, searchMemory(256, 512<<10))}
	const steps = 1.5 // of an automaton, in nanoseconds for each byte
	if p.texts != nil && (f.auto == nil || p.texts.cost() < steps) {
		f.near = newNearest(p.texts)
	}
	return f
}

func (f *byLine) begin(text []byte) {
	f.text = text
	if f.near != nil {
		f.near.begin(text)
	}
}

func (f *byLine) next(pos int) (start, end int, ok bool, err error) {
	if f.near == nil && f.auto != nil && !f.auto.hard {
		if start, end, ok = f.auto.find(f.text, pos); !f.auto.hard {
			return start, end, ok, nil
		}
	}
	for pos < len(f.text) {
		i, n := pos, 0
		if f.near != nil {
			if i, n = f.near.next(pos); i < 0 {
				return 0, 0, false, nil
			}
		}
		start, end, _ = lineAt(f.text, pos, i)
		if f.whole && f.near != nil {
			ok = i+n <= end
		} else if ok, err = f.matches(f.text[start:end]); err != nil {
			return 0, 0, false, err
		}
		if ok {
			return start, end, true, nil
		}
		pos = end + 1
	}
	return 0, 0, false, nil
}

// matches reports whether a line matches.
func (f *byLine) matches(line []byte) (bool, error) {
	if f.auto != nil && !f.auto.hard && len(line) > 0 {
		if _, _, ok := f.auto.find(line, 0); !f.auto.hard {
			return ok, nil
		}
	}
	if len(line) <= f.direct {
		return f.re.Match(line), nil
	}
	ok := f.re.MatchReader(&runeReader{text: line, c: f.c})
	if f.c.aborted() {
		return false, errAborted
	}
	return ok, nil
}

// acrossLines finds what spans lines; all that it touches match.
type acrossLines struct {
	*expression
	c     *call
	text  []byte
	near  *nearest
	at    int // where the next match can begin
	ended int // where the last one did
}

func newAcrossLines(c *call, p *expression) *acrossLines {
	f := &acrossLines{expression: p, c: c}
	if p.texts != nil {
		f.near = newNearest(p.texts)
	}
	return f
}

func (f *acrossLines) begin(text []byte) {
	f.text, f.at, f.ended = text, 0, -1
	if f.near != nil {
		f.near.begin(text)
	}
}

func (f *acrossLines) next(pos int) (start, end int, ok bool, err error) {
	for f.at <= len(f.text) {
		from, to, err := f.span()
		if err != nil || from < 0 {
			f.at = len(f.text) + 1
			return 0, 0, false, err
		}
		// As FindAll has it: after nothing there is nothing again, and the next match
		// begins a character later.
		fresh := from < to || from != f.ended
		f.ended = to
		if f.at = to; to == from {
			_, n := utf8.DecodeRune(f.text[to:])
			f.at += max(n, 1)
		}
		if from == len(f.text) && (from == 0 || f.text[from-1] == '\n') {
			continue // after the last line's end is no line
		}
		_, end, _ := lineAt(f.text, 0, max(from, to-1))
		if !fresh || end < pos {
			continue
		}
		start := bytes.LastIndexByte(f.text[:from], '\n') + 1
		return max(start, pos), end, true, nil
	}
	return 0, 0, false, nil
}

// span returns the next match, or a negative number.
func (f *acrossLines) span() (from, to int, err error) {
	if f.near != nil {
		i, n := f.near.next(f.at)
		if i < 0 {
			return -1, 0, nil
		}
		if f.whole && len(f.texts.any) == 1 {
			return i, i + n, nil
		}
	}
	re, begin := f.re, f.at
	if f.after != nil && f.at > 0 {
		_, n := utf8.DecodeLastRune(f.text[:f.at])
		re, begin = f.after, f.at-n
	}
	text := f.text[begin:]
	var found []int
	if len(text) <= f.direct {
		found = re.FindIndex(text)
	} else {
		found = re.FindReaderIndex(&runeReader{text: text, c: f.c})
		if f.c.aborted() {
			return -1, 0, errAborted
		}
	}
	if found == nil {
		return -1, 0, nil
	}
	from, to = begin+found[0], begin+found[1]
	if begin < f.at {
		_, n := utf8.DecodeRune(f.text[from:])
		from += n
	}
	return from, to, nil
}

// runeReader gives package regexp a long text, of which it takes no more once the call is
// given up.
type runeReader struct {
	c    *call
	text []byte
	n    int
}

func (r *runeReader) ReadRune() (ch rune, size int, err error) {
	if r.n++; len(r.text) == 0 || r.n%1024 == 0 && r.c.aborted() {
		return 0, 0, io.EOF
	}
	ch, size = utf8.DecodeRune(r.text)
	r.text = r.text[size:]
	return ch, size, nil
}

// nearest finds the next of several texts.
type nearest struct {
	*texts
	raw  [][]byte
	text []byte
	at   []int // of each, where it is next; len(text) is nowhere
	rare []int // the index of its rarest byte
	low  []int // where that is next, as a small letter
	high []int // and as a large one
}

func newNearest(t *texts) *nearest {
	f := &nearest{texts: t}
	for _, s := range t.any {
		f.raw = append(f.raw, []byte(s))
		f.rare = append(f.rare, rarest(s))
	}
	n := len(t.any)
	f.at, f.low, f.high = make([]int, n), make([]int, n), make([]int, n)
	return f
}

func (f *nearest) begin(text []byte) {
	f.text = text
	for i := range f.at {
		f.at[i], f.low[i], f.high[i] = -1, -1, -1
	}
}

// next returns where the first of the texts is from pos on, and its length; a negative
// number where there is none.
func (f *nearest) next(pos int) (at, length int) {
	at = len(f.text)
	for i, s := range f.raw {
		if f.at[i] < pos {
			if f.fold {
				f.at[i] = f.nextFold(i, pos)
			} else {
				f.at[i] = nextAt(f.text, pos, s)
			}
		}
		if f.at[i] < at {
			at, length = f.at[i], len(s)
		}
	}
	if at == len(f.text) {
		return -1, 0
	}
	return at, length
}

func nextAt(text []byte, pos int, s []byte) int {
	if i := bytes.Index(text[pos:], s); i >= 0 {
		return pos + i
	}
	return len(text)
}

// nextFold looks for the rarest byte of a text, in both cases, and compares around it.
func (f *nearest) nextFold(i, pos int) int {
	s, rare := f.raw[i], f.rare[i]
	letter := isAlpha(s[rare])
	for from := pos + rare; from < len(f.text); {
		if f.low[i] < from {
			f.low[i] = nextByte(f.text, from, s[rare])
		}
		if f.high[i] < from {
			if f.high[i] = len(f.text); letter {
				f.high[i] = nextByte(f.text, from, s[rare]&^0x20)
			}
		}
		at := min(f.low[i], f.high[i])
		if begin := at - rare; begin+len(s) <= len(f.text) && equalFold(f.text[begin:begin+len(s)], s) {
			return begin
		}
		from = at + 1
	}
	return len(f.text)
}

func nextByte(text []byte, pos int, b byte) int {
	if i := bytes.IndexByte(text[pos:], b); i >= 0 {
		return pos + i
	}
	return len(text)
}

// equalFold compares with a text in small letters.
func equalFold(b, small []byte) bool {
	for i, c := range small {
		if b[i] != c && (!isAlpha(c) || b[i]|0x20 != c) {
			return false
		}
	}
	return true
}
