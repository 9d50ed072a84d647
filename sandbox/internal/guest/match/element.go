package match

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// element is one name of a pattern, between slashes.
type element struct {
	deep    bool                   // **, which stands for any number of names
	literal string                 // the name, if the element has no wildcard
	match   func(name string) bool // otherwise
	dot     bool                   // begins with a dot, so hidden names are meant
	dir     bool                   // a slash follows and nothing else: directories alone
}

// accepts reports whether an element that is not deep stands for a name.
func (e *element) accepts(name string, hidden bool) bool {
	if e.match == nil {
		return name == e.literal
	}
	return e.match(name) && (hidden || e.dot || !strings.HasPrefix(name, "."))
}

const wildcards = `*?[\`

func compileElement(text string) (element, error) {
	if text == "**" {
		return element{deep: true}, nil
	}
	if !strings.ContainsAny(text, wildcards) {
		return element{literal: text}, nil
	}
	e := element{dot: strings.HasPrefix(strings.TrimPrefix(text, `\`), ".")}
	if text == "*" {
		e.match = func(string) bool { return true }
		return e, nil
	}
	if suffix, ok := strings.CutPrefix(text, "*"); ok && !strings.ContainsAny(suffix, wildcards) {
		e.match = func(name string) bool { return strings.HasSuffix(name, suffix) }
		return e, nil
	}
	marks, err := compileMarks(text)
	if err != nil {
		return element{}, err
	}
	e.match = func(name string) bool { return matchMarks(marks, name) }
	return e, nil
}

func compileMarks(text string) ([]mark, error) {
	var marks []mark
	for i := 0; i < len(text); {
		m, n := mark{}, 1
		switch text[i] {
		case '*':
			m.star = true
		case '?':
			m.negated = true // not one of no characters: any
		case '[':
			var err error
			if m, n, err = compileClass(text[i:]); err != nil {
				return nil, err
			}
		case '\\':
			if i++; i == len(text) {
				return nil, fmt.Errorf("a backslash at the end takes no character")
			}
			fallthrough
		default:
			var ch rune
			ch, n = character(text[i:])
			m.ranges = []rune{ch, ch}
		}
		marks = append(marks, m)
		i += n
	}
	return marks, nil
}

// mark stands for one character of a name or, as a star, for any number of them.
type mark struct {
	star    bool
	negated bool
	ranges  []rune // from, to, and so on
}

func (m *mark) accepts(ch rune) bool {
	for i := 0; i < len(m.ranges); i += 2 {
		if m.ranges[i] <= ch && ch <= m.ranges[i+1] {
			return !m.negated
		}
	}
	return m.negated
}

// character returns the first character of a text and its length. A byte that is no part of
// a character counts as one of its own, beyond all others.
func character(s string) (rune, int) {
	ch, n := utf8.DecodeRuneInString(s)
	if ch == utf8.RuneError && n == 1 {
		ch = unicode.MaxRune + 1 + rune(s[0])
	}
	return ch, n
}

// compileClass reads a class such as [a-z] or [!x], and returns its length.
func compileClass(text string) (m mark, n int, err error) {
	i := 1
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, m.negated = i+1, true
	}
	next := func() (ch rune) {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		ch, n := character(text[i:])
		i += n
		return ch
	}
	for first := true; i < len(text); first = false {
		if text[i] == ']' && !first {
			return m, i + 1, nil
		}
		from := next()
		to := from
		if i+1 < len(text) && text[i] == '-' && text[i+1] != ']' {
			i++
			if to = next(); to < from {
				return m, 0, fmt.Errorf("the range %c-%c goes backwards", from, to)
			}
		}
		m.ranges = append(m.ranges, from, to)
	}
	return m, 0, fmt.Errorf("a [ has no ]; write \\[ for the character itself")
}

// matchMarks reports whether marks match a name. It goes back to the last star alone: an earlier
// one would gain nothing.
func matchMarks(marks []mark, name string) bool {
	star, begin := -1, 0
	for i, at := 0, 0; i < len(marks) || at < len(name); {
		if i < len(marks) && marks[i].star {
			star, begin = i, at
			i++
			continue
		}
		if i < len(marks) && at < len(name) {
			if ch, n := character(name[at:]); marks[i].accepts(ch) {
				i, at = i+1, at+n
				continue
			}
		}
		if star < 0 || begin == len(name) {
			return false
		}
		_, n := character(name[begin:])
		begin += n
		i, at = star+1, begin
	}
	return true
}
