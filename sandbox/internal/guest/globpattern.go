//go:build linux

package guest

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// segment is one path element of a pattern.
type segment struct {
	deep    bool                   // **
	literal string                 // the name, where the element has no wildcard
	match   func(name string) bool // where it has
	dot     bool                   // begins with a dot, so it means hidden names
	dir     bool                   // a slash follows, and nothing else: directories alone
}

// accepts reports whether the element stands for name.
func (s *segment) accepts(name string, hidden bool) bool {
	if s.match == nil {
		return name == s.literal
	}
	return s.match(name) && (hidden || s.dot || !strings.HasPrefix(name, "."))
}

// maxAlternatives bounds what braces expand to.
const maxAlternatives = 1000

// compileGlob returns the elements of each alternative of a pattern.
func compileGlob(pattern string) ([][]segment, error) {
	bad := func(format string, args ...any) error {
		return &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("pattern %q: ", pattern) + fmt.Sprintf(format, args...)}
	}
	if pattern == "" {
		return nil, bad("is empty; write * for all names, ** for all below")
	}
	alternatives, err := expand(pattern, 0)
	if err != nil {
		return nil, bad("%v", err)
	}
	var out [][]segment
	for _, alternative := range alternatives {
		var segments []segment
		for _, element := range strings.Split(alternative, "/") {
			switch {
			case element == "" || element == ".":
			case element == "**":
				if n := len(segments); n == 0 || !segments[n-1].deep {
					segments = append(segments, segment{deep: true})
				}
			default:
				s, err := compileSegment(element)
				if err != nil {
					return nil, bad("%v", err)
				}
				segments = append(segments, s)
			}
		}
		if n := len(segments); n > 0 && strings.HasSuffix(alternative, "/") {
			segments[n-1].dir = true
		}
		out = append(out, segments)
	}
	return out, nil
}

// expand resolves the first {a,b} of a pattern and those in what follows.
func expand(pattern string, depth int) ([]string, error) {
	if depth > 100 {
		return nil, fmt.Errorf("braces nested or repeated more than 100 times")
	}
	open, level, start := -1, 0, 0
	var options []string
	class := false
	for i := 0; i < len(pattern); i++ {
		switch ch := pattern[i]; {
		case ch == '\\':
			i++
		case class:
			class = ch != ']'
		case ch == '[':
			class = true
			if i+1 < len(pattern) && (pattern[i+1] == '!' || pattern[i+1] == '^') {
				i++
			}
			if i+1 < len(pattern) && pattern[i+1] == ']' {
				i++
			}
		case ch == '{':
			if level == 0 {
				open, start = i, i+1
			}
			level++
		case ch == ',' && level == 1:
			options = append(options, pattern[start:i])
			start = i + 1
		case ch == '}' && level > 0:
			if level--; level > 0 {
				continue
			}
			var out []string
			for _, option := range append(options, pattern[start:i]) {
				all, err := expand(pattern[:open]+option+pattern[i+1:], depth+1)
				if err != nil {
					return nil, err
				}
				if out = append(out, all...); len(out) > maxAlternatives {
					return nil, fmt.Errorf("the braces stand for more than %d patterns", maxAlternatives)
				}
			}
			return out, nil
		}
	}
	if level > 0 {
		return nil, fmt.Errorf("a { has no }; write \\{ for the character itself")
	}
	return []string{pattern}, nil
}

// compileSegment takes one element apart.
func compileSegment(element string) (segment, error) {
	if !strings.ContainsAny(element, `*?[\`) {
		return segment{literal: element}, nil
	}
	s := segment{dot: strings.HasPrefix(strings.TrimPrefix(element, `\`), ".")}
	if element == "*" {
		s.match = func(string) bool { return true }
		return s, nil
	}
	if suffix := element[1:]; element[0] == '*' && !strings.ContainsAny(suffix, `*?[\`) {
		s.match = func(name string) bool { return strings.HasSuffix(name, suffix) }
		return s, nil
	}
	var marks []mark
	for i := 0; i < len(element); {
		m, n := mark{}, 1
		switch element[i] {
		case '*':
			m.star = true
		case '?':
			m.negated = true // of no characters: any
		case '[':
			var err error
			if m, n, err = compileClass(element[i:]); err != nil {
				return segment{}, err
			}
		case '\\':
			if i++; i == len(element) {
				return segment{}, fmt.Errorf("a backslash at the end takes no character")
			}
			fallthrough
		default:
			var ch rune
			ch, n = character(element[i:])
			m.ranges = []rune{ch, ch}
		}
		marks = append(marks, m)
		i += n
	}
	s.match = func(name string) bool { return matchMarks(marks, name) }
	return s, nil
}

// mark is what stands for one character of a name, or a star.
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
// one is a character of its own, beyond all others.
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

// matchMarks goes back to the last star alone: an earlier one would gain nothing.
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

// compileNames compiles globs for matchPath; one without a "/" stands for a name at any depth.
func compileNames(globs [][]byte) ([][]segment, error) {
	var all [][]segment
	for _, glob := range globs {
		alternatives, err := compileGlob(string(glob))
		if err != nil {
			return nil, err
		}
		for _, segments := range alternatives {
			if !bytes.ContainsRune(glob, '/') {
				segments = append([]segment{{deep: true}}, segments...)
			}
			all = append(all, segments)
		}
	}
	return all, nil
}
