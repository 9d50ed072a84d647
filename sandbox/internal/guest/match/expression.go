package match

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// Options say how an Expression matches.
type Options struct {
	IgnoreCase bool
	Multiline  bool // matches may span lines
}

// Expression is a compiled regular expression, in the syntax of RE2. It is safe for concurrent
// use.
type Expression struct {
	re        *regexp.Regexp
	prog      *syntax.Prog
	multiline bool
	after     *regexp.Regexp // re behind one more character, if what comes before a match matters
	texts     *texts         // each match holds one of them; nil if none are known
	whole     bool           // and each of them is a match
	direct    int            // how many bytes package regexp gets through in a moment
}

// CompileExpression compiles a regular expression.
func CompileExpression(pattern string, o Options) (*Expression, error) {
	flags := "m"
	if o.IgnoreCase {
		flags += "i"
	}
	if o.Multiline {
		flags += "s"
	}
	text := "(?" + flags + ":" + pattern + ")"
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %v (the syntax is RE2)", pattern, err)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	e := &Expression{re: re, multiline: o.Multiline}
	e.texts, e.whole = required(tree)
	if e.prog, err = syntax.Compile(tree.Simplify()); err != nil {
		return nil, err
	}
	e.direct = min(max(8<<20/len(e.prog.Inst), 4<<10), 256<<10)
	for i := range e.prog.Inst {
		if o.Multiline && e.prog.Inst[i].Op == syntax.InstEmptyWidth && e.after == nil {
			if e.after, err = regexp.Compile("(?s:.)" + text); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

// Finder finds the lines of a text that an Expression matches, one after the other. One
// goroutine may use it at a time.
type Finder interface {
	// Begin gives it another text.
	Begin(text []byte)
	// Next returns where the next line that matches begins and ends, or several of them in
	// a row. It looks from pos on, which is where a line begins and is never less than the
	// time before. It gives up with the error of the Finder's stop.
	Next(pos int) (start, end int, ok bool, err error)
}

// Finder returns a Finder that takes at most about memory bytes. A text can keep it busy for
// long; it calls stop meanwhile.
func (e *Expression) Finder(memory int, stop func() error) Finder {
	if e.multiline {
		return newSpanFinder(e, stop)
	}
	return newLineFinder(e, memory, stop)
}
