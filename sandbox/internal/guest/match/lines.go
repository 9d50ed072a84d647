package match

import (
	"io"
	"unicode/utf8"
)

// lineFinder looks at each line by itself.
type lineFinder struct {
	*Expression
	stop func() error
	text []byte
	near *nearest   // nil if no texts help
	auto *automaton // nil if it does not help
}

func newLineFinder(e *Expression, memory int, stop func() error) *lineFinder {
	f := &lineFinder{Expression: e, stop: stop, auto: newAutomaton(e.prog, memory)}
	const steps = 1.5 // of an automaton, in nanoseconds for each byte
	if e.texts != nil && (f.auto == nil || e.texts.cost() < steps) {
		f.near = newNearest(e.texts)
	}
	return f
}

// Begin implements Finder.
func (f *lineFinder) Begin(text []byte) {
	f.text = text
	if f.near != nil {
		f.near.begin(text)
	}
}

// Next implements Finder.
func (f *lineFinder) Next(pos int) (start, end int, ok bool, err error) {
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
func (f *lineFinder) matches(line []byte) (bool, error) {
	if f.auto != nil && !f.auto.hard && len(line) > 0 {
		if _, _, ok := f.auto.find(line, 0); !f.auto.hard {
			return ok, nil
		}
	}
	if len(line) <= f.direct {
		return f.re.Match(line), nil
	}
	r := &runeReader{text: line, stop: f.stop}
	ok := f.re.MatchReader(r)
	return ok, r.err
}

// runeReader gives package regexp a long text. It ends early when stop returns an error.
type runeReader struct {
	stop func() error
	text []byte
	n    int
	err  error // of stop
}

// ReadRune implements io.RuneReader.
func (r *runeReader) ReadRune() (ch rune, size int, err error) {
	const often = 1024 // characters
	if r.n++; r.n%often == 0 {
		r.err = r.stop()
	}
	if r.err != nil || len(r.text) == 0 {
		return 0, 0, io.EOF
	}
	ch, size = utf8.DecodeRune(r.text)
	r.text = r.text[size:]
	return ch, size, nil
}
