package tools

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled glob for absolute paths, in the dialect that Rule.Pattern describes.
type pattern struct{ re *regexp.Regexp }

// compilePattern compiles a glob.
func compilePattern(glob string) (*pattern, error) {
	if !utf8.ValidString(glob) {
		return nil, errors.New("it is not valid UTF-8")
	}
	text, err := globRegexp(glob)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &pattern{re}, nil
}

// Match reports whether the pattern matches the whole path.
func (p *pattern) Match(path string) bool { return p.re.MatchString(path) }

// globRegexp translates a glob to a regular expression for a whole path.
func globRegexp(glob string) (string, error) {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	depth := 0 // of braces
	for i := 0; i < len(glob); i++ {
		rest := glob[i:]
		atStart := i == 0 || glob[i-1] == '/'
		switch ch := glob[i]; {
		case rest == "/**":
			re.WriteString(`(?:/.*)?`)
			i += 2
		case atStart && strings.HasPrefix(rest, "**/"):
			re.WriteString(`(?:.*/)?`)
			i += 2
		case atStart && rest == "**":
			re.WriteString(`.*`)
			i++
		case ch == '*':
			re.WriteString(`[^/]*`)
		case ch == '?':
			re.WriteString(`[^/]`)
		case ch == '{':
			depth++
			re.WriteString(`(?:`)
		case ch == '}' && depth > 0:
			depth--
			re.WriteString(`)`)
		case ch == ',' && depth > 0:
			re.WriteString(`|`)
		case ch == '[':
			n, class, err := classRegexp(rest)
			if err != nil {
				return "", err
			}
			re.WriteString(class)
			i += n - 1
		case ch == '\\':
			if i++; i == len(glob) {
				return "", errors.New("a backslash at the end takes no character")
			}
			re.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			re.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	if depth > 0 {
		return "", errors.New(`a { has no }; write \{ for the character itself`)
	}
	re.WriteString(`\z`)
	return re.String(), nil
}

// classRegexp translates the class at the beginning of text and returns its length. The
// regular expression never matches "/".
func classRegexp(text string) (length int, re string, err error) {
	i, begin := 1, "["
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, begin = i+1, "[^/"
	}
	next := func() rune {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		ch, n := utf8.DecodeRuneInString(text[i:])
		i += n
		return ch
	}
	var ranges strings.Builder
	for first := true; i < len(text) && text[i] != '/'; first = false {
		if text[i] == ']' && !first {
			if begin == "[" && ranges.Len() == 0 {
				return i + 1, `[^\x00-\x{10FFFF}]`, nil // of a slash alone: nothing
			}
			return i + 1, begin + ranges.String() + "]", nil
		}
		from := next()
		to := from
		if i+1 < len(text) && text[i] == '-' && text[i+1] != ']' && text[i+1] != '/' {
			i++
			if to = next(); to < from {
				return 0, "", fmt.Errorf("the range %c-%c goes backwards", from, to)
			}
		}
		for _, r := range [][2]rune{{from, min(to, '/'-1)}, {max(from, '/'+1), to}} {
			if r[0] <= r[1] {
				fmt.Fprintf(&ranges, `\x{%x}-\x{%x}`, r[0], r[1])
			}
		}
	}
	return 0, "", errors.New(`a [ has no ]; write \[ for the character itself`)
}
