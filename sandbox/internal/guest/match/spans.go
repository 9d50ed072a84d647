package match

import (
	"bytes"
	"unicode/utf8"
)

// spanFinder finds matches that may span lines. Each line that a match touches matches.
type spanFinder struct {
	*Expression
	stop  func() error
	text  []byte
	near  *nearest // nil if no texts help
	at    int      // where the next match can begin
	ended int      // where the last one did
}

func newSpanFinder(e *Expression, stop func() error) *spanFinder {
	f := &spanFinder{Expression: e, stop: stop}
	if e.texts != nil {
		f.near = newNearest(e.texts)
	}
	return f
}

// Begin implements Finder.
func (f *spanFinder) Begin(text []byte) {
	f.text, f.at, f.ended = text, 0, -1
	if f.near != nil {
		f.near.begin(text)
	}
}

// Next implements Finder.
func (f *spanFinder) Next(pos int) (start, end int, ok bool, err error) {
	for f.at <= len(f.text) {
		from, to, err := f.span()
		if err != nil || from < 0 {
			f.at = len(f.text) + 1
			return 0, 0, false, err
		}
		// As with FindAll, an empty match right after a match does not count, and the next
		// match begins a character later.
		fresh := from < to || from != f.ended
		f.ended = to
		if f.at = to; to == from {
			_, n := utf8.DecodeRune(f.text[to:])
			f.at += max(n, 1)
		}
		if from == len(f.text) && (from == 0 || f.text[from-1] == '\n') {
			continue // there is no line after the last line's end
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

// span returns the next match; from is -1 if there is none.
func (f *spanFinder) span() (from, to int, err error) {
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
		r := &runeReader{text: text, stop: f.stop}
		if found = re.FindReaderIndex(r); r.err != nil {
			return -1, 0, r.err
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
