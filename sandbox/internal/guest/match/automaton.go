package match

import (
	"bytes"
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// automaton finds the lines that an expression matches, in one step for each character. Package
// regexp, which also finds where in the line, takes ten times as long. Its states are made when
// they are needed, and forgotten when they take too much memory.
type automaton struct {
	prog    *syntax.Prog
	classes []rune     // the first of each class of characters that the expression does not tell apart
	ascii   [128]uint8 // the class of each character; that of "\n" is the last, a line's end
	width   int        // the number of classes, with that of a line's end
	words   bool       // \b is in it
	begins  bool       // matches begin only at the beginning of a line

	next   []int32 // by state and class: the next state, or one of the constants below
	states []autoState
	known  map[string]int32
	memory int   // that the states take, in bytes
	max    int   // how many they may take
	first  int32 // the state at a line's beginning
	since  int   // characters since the states were forgotten
	hard   bool  // the states are forgotten too often to be of use

	seen  []uint32 // by instruction: the last step that came across it
	step  uint32
	stack []uint32
}

// autoState is where the expression's program stands after a character. The number of a state
// is its index in next.
type autoState struct {
	pending []uint32 // instructions
	before  rune     // stands for the character before; -1 at a line's beginning
}

// Values of automaton.next that are no state.
const (
	autoUnknown = 0
	autoMatch   = -1
	autoDead    = -2 // no match in this line any more
)

// newAutomaton returns an automaton whose states take at most about max bytes, or nil if it does
// not help with the expression.
func newAutomaton(prog *syntax.Prog, max int) *automaton {
	a := &automaton{prog: prog, max: max, seen: make([]uint32, len(prog.Inst))}
	bounds := []rune{0}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		switch in.Op {
		case syntax.InstEmptyWidth:
			a.words = a.words || syntax.EmptyOp(in.Arg)&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0
		case syntax.InstRune, syntax.InstRune1:
			if len(in.Rune) == 1 {
				r := in.Rune[0]
				bounds = append(bounds, r, r+1)
				if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
					for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
						bounds = append(bounds, f, f+1)
					}
				}
				continue
			}
			for j := 0; j < len(in.Rune); j += 2 {
				bounds = append(bounds, in.Rune[j], in.Rune[j+1]+1)
			}
		}
	}
	if a.words {
		bounds = append(bounds, '0', '9'+1, 'A', 'Z'+1, '_', '_'+1, 'a', 'z'+1)
	}
	slices.Sort(bounds)
	a.classes = slices.Compact(bounds)
	a.width = len(a.classes) + 1
	if a.width > 256 || a.width*4*20 > max {
		return nil
	}
	for r := range a.ascii {
		a.ascii[r] = uint8(a.class(rune(r)))
	}
	a.ascii['\n'] = uint8(a.width - 1)
	runes, match := a.expand(nil, ^(syntax.EmptyBeginLine | syntax.EmptyBeginText))
	a.begins = !match && len(runes) == 0
	a.forget()
	return a
}

// forget drops all states, and makes the one at a line's beginning.
func (a *automaton) forget() {
	a.next = append(a.next[:0], make([]int32, a.width)...) // a state's number is never 0
	a.states = append(a.states[:0], autoState{})
	a.known = make(map[string]int32)
	a.memory, a.since = 0, 0
	a.first = a.state(nil, -1)
}

// state returns the number of a state.
func (a *automaton) state(pending []uint32, before rune) int32 {
	key := binary.AppendVarint(nil, int64(before))
	for _, pc := range pending {
		key = binary.AppendUvarint(key, uint64(pc))
	}
	if s, ok := a.known[string(key)]; ok {
		return s
	}
	s := int32(len(a.next))
	a.next = append(a.next, make([]int32, a.width)...)
	a.states = append(a.states, autoState{pending: pending, before: before})
	a.known[string(key)] = s
	const overhead = 100
	a.memory += 4*a.width + 4*cap(pending) + len(key) + overhead
	return s
}

func (a *automaton) class(r rune) int {
	i, found := slices.BinarySearch(a.classes, r)
	if !found {
		i--
	}
	return i
}

// advance returns the state after a state and a character of a class.
func (a *automaton) advance(s int32, class int) (to int32) {
	from := a.states[int(s)/a.width]
	r := rune(-1) // a line's end
	if class < len(a.classes) {
		r = a.classes[class]
	}
	runes, match := a.expand(from.pending, syntax.EmptyOpContext(from.before, r))
	switch {
	case match:
		to = autoMatch
	case r < 0:
		to = a.first
	default:
		var pending []uint32
		for _, pc := range runes {
			if in := &a.prog.Inst[pc]; in.MatchRune(r) {
				pending = append(pending, in.Out)
			}
		}
		if len(pending) == 0 && a.begins {
			to = autoDead
			break
		}
		slices.Sort(pending)
		before := ' '
		if a.words && syntax.IsWordChar(r) {
			before = '0'
		}
		if a.memory > a.max {
			a.hard = a.since < 10*len(a.states)
			a.forget()
			return a.state(slices.Compact(pending), before)
		}
		to = a.state(slices.Compact(pending), before)
	}
	a.next[int(s)+class] = to
	return to
}

// expand follows the instructions that take no character, from those pending and from the
// beginning of the program. It returns the instructions that it comes to and that take a
// character, or whether it comes to the end: a match.
func (a *automaton) expand(pending []uint32, at syntax.EmptyOp) (runes []uint32, match bool) {
	a.step++
	a.stack = append(append(a.stack[:0], uint32(a.prog.Start)), pending...)
	for len(a.stack) > 0 {
		pc := a.stack[len(a.stack)-1]
		a.stack = a.stack[:len(a.stack)-1]
		if a.seen[pc] == a.step {
			continue
		}
		a.seen[pc] = a.step
		switch in := &a.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			a.stack = append(a.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			a.stack = append(a.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^at == 0 {
				a.stack = append(a.stack, in.Out)
			}
		case syntax.InstMatch:
			return nil, true
		case syntax.InstFail:
		default:
			runes = append(runes, pc)
		}
	}
	return runes, false
}

// find returns the first line that matches from pos on, where a line begins. If a.hard is set
// afterwards, the result says nothing.
func (a *automaton) find(text []byte, pos int) (start, end int, ok bool) {
	s, next, mark := a.first, a.next, pos
	for i := pos; i < len(text); {
		b, n := text[i], 1
		var class int
		if b < utf8.RuneSelf {
			class = int(a.ascii[b])
		} else {
			r, size := utf8.DecodeRune(text[i:])
			n, class = size, a.class(r)
		}
		to := next[int(s)+class]
		if to > 0 {
			s = to
			i += n
			continue
		}
		if to == autoUnknown {
			a.since += i - mark
			mark = i
			if to = a.advance(s, class); a.hard {
				return 0, 0, false
			}
			next = a.next
		}
		switch to {
		case autoMatch:
			return lineAt(text, pos, i)
		case autoDead:
			line, rest, _ := bytes.Cut(text[i:], []byte("\n"))
			if len(rest) == 0 {
				return 0, 0, false
			}
			i += len(line) + 1
			s = a.first
		default:
			s = to
			i += n
		}
	}
	a.since += len(text) - mark
	if pos == len(text) || text[len(text)-1] == '\n' {
		return 0, 0, false
	}
	if to := next[int(s)+a.width-1]; to == autoMatch || to == autoUnknown && a.advance(s, a.width-1) == autoMatch {
		return lineAt(text, pos, len(text))
	}
	return 0, 0, false
}

// lineAt returns the line around the index i, which may be that of its end. It begins at pos or
// later.
func lineAt(text []byte, pos, i int) (start, end int, ok bool) {
	start, end = pos+bytes.LastIndexByte(text[pos:i], '\n')+1, len(text)
	if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
		end = i + n
	}
	return start, end, true
}
