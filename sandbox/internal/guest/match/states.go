package match

import (
	"cmp"
	"slices"
	"strings"
)

// States is how far the alternatives of a Glob have matched the path of a directory. With it
// a tree is walked once for all of them, and only where one can still match.
type States []state

// state is how far one alternative has matched.
type state struct {
	alternative int
	elements    []element // of the alternative
	next        int       // the first of them that has not matched
}

// Step is what a Glob says about a name in a directory.
type Step struct {
	Match    bool // the path matches
	MatchDir bool // the path matches if it is a directory's
	Literal  bool // the pattern names it without a wildcard
	// Next is how far its alternatives have matched then; empty if nothing below can match.
	// States.Enter goes on from there.
	Next States
}

// States returns the states at the directory that the pattern starts in.
func (g *Glob) States() States {
	var s States
	for i, a := range g.alternatives {
		s = append(s, state{alternative: i, elements: a.elements})
	}
	return s.closure()
}

// Enter returns the states inside a directory, if s is the Next of the Step to it.
func (s States) Enter() States { return slices.Clone(s).closure() }

// closure adds the states in which a ** stands for no directory, and leaves one of each state:
// several ** would otherwise make more of them with every directory.
func (s States) closure() States {
	for i := 0; i < len(s); i++ {
		if one := s[i]; one.next < len(one.elements) && one.elements[one.next].deep {
			one.next++
			s = append(s, one)
		}
	}
	slices.SortFunc(s, func(a, b state) int {
		return cmp.Or(a.alternative-b.alternative, a.next-b.next)
	})
	return slices.CompactFunc(s, func(a, b state) bool { return a.alternative == b.alternative && a.next == b.next })
}

// Step matches a name in the directory. Unless hidden is set, wildcards do not match a name
// that begins with a dot, except one whose pattern does, too. Next uses the memory of buf.
func (s States) Step(name string, hidden bool, buf States) Step {
	step := Step{Next: buf[:0]}
	for _, one := range s {
		if one.next == len(one.elements) {
			continue
		}
		e := &one.elements[one.next]
		last := one.next+1 == len(one.elements)
		switch {
		case e.deep:
			if !hidden && strings.HasPrefix(name, ".") {
				continue
			}
			step.Next = append(step.Next, one)
		case e.accepts(name, hidden):
			step.Literal = step.Literal || e.match == nil
			if !last {
				one.next++
				step.Next = append(step.Next, one)
			}
		default:
			continue
		}
		step.Match = step.Match || last && !e.dir
		step.MatchDir = step.MatchDir || last
	}
	return step
}

// Literals returns the names that can match in the directory, in order. ok is false if
// others can, too, so that the directory has to be read.
func (s States) Literals() (names []string, ok bool) {
	for _, one := range s {
		if one.next == len(one.elements) {
			continue
		}
		e := &one.elements[one.next]
		if e.deep || e.match != nil {
			return nil, false
		}
		names = append(names, e.literal)
	}
	slices.Sort(names)
	return slices.Compact(names), true
}
