//go:build linux

package guest

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// segment is one path element of a pattern.
type segment struct {
	deep    bool                   // **
	literal string                 // the name, where the element has no wildcard
	match   func(name string) bool // where it has
	dot     bool                   // begins with a dot, so it means hidden names
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

// compileSegment translates one element to a regular expression, or to something
// faster where it is simple.
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
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	for i := 0; i < len(element); i++ {
		switch ch := element[i]; ch {
		case '*':
			re.WriteString(`.*`)
		case '?':
			re.WriteString(`.`)
		case '\\':
			if i++; i == len(element) {
				return segment{}, fmt.Errorf("a backslash at the end takes no character")
			}
			re.WriteString(regexp.QuoteMeta(element[i : i+1]))
		case '[':
			n, class := compileClass(element[i:])
			if n == 0 {
				return segment{}, fmt.Errorf("a [ has no ]; write \\[ for the character itself")
			}
			re.WriteString(class)
			i += n - 1
		default:
			// A byte of a longer character stays with its neighbours.
			j := i + 1
			for j < len(element) && element[j] >= 0x80 && element[j] < 0xc0 {
				j++
			}
			re.WriteString(regexp.QuoteMeta(element[i:j]))
			i = j - 1
		}
	}
	re.WriteString(`\z`)
	compiled, err := regexp.Compile(re.String())
	if err != nil {
		return segment{}, err
	}
	s.match = compiled.MatchString
	return s, nil
}

// compileClass translates a class such as [a-z] or [!x]; n is its length, 0 without an end.
func compileClass(text string) (n int, class string) {
	i, out := 1, "["
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, out = i+1, "[^"
	}
	for first := true; i < len(text); i, first = i+1, false {
		switch ch := text[i]; {
		case ch == ']' && !first:
			return i + 1, out + "]"
		case ch == '\\' && i+1 < len(text):
			i++
			out += `\` + string(rune(text[i]))
			if isWord(text[i]) {
				out = out[:len(out)-2] + string(rune(text[i]))
			}
		case ch == '[' || ch == ']' || ch == '^' || ch == '&' || ch == '~':
			out += `\` + string(rune(ch))
		default:
			out += text[i : i+1]
		}
	}
	return 0, ""
}

func isWord(ch byte) bool {
	return ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= 0x80
}
