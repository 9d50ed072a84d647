package match

import "bytes"

// nearest finds the next of several texts.
type nearest struct {
	*texts
	raw  [][]byte // the texts
	text []byte
	at   []int // where each text is next; len(text) is nowhere
	rare []int // the index of its rarest byte
	low  []int // where that is next in lower case
	high []int // and in upper case
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

// next returns where the first of the texts is from pos on, and its length; -1 if there is
// none.
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

// equalFold reports whether b is a text that small has in lower case.
func equalFold(b, small []byte) bool {
	for i, c := range small {
		if b[i] != c && (!isAlpha(c) || b[i]|0x20 != c) {
			return false
		}
	}
	return true
}
