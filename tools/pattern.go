package tools

import (
	"errors"
	"regexp"
	"strings"
)

// pattern is a compiled glob for absolute paths, in the dialect that Rule.Pattern describes.
type pattern struct{ re *regexp.Regexp }

// compilePattern compiles a glob.
func compilePattern(glob string) (*pattern, error) {
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
			n, class := classRegexp(rest)
			if n == 0 {
				return "", errors.New(`a [ has no ]; write \[ for the character itself`)
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

// classRegexp translates the class at the beginning of text and returns its length, which is
// 0 if the class has no end. The regular expression never matches "/".
func classRegexp(text string) (length int, re string) {
	i, re := 1, "["
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, re = i+1, "[^/"
	}
	for first := true; i < len(text) && text[i] != '/'; i, first = i+1, false {
		switch ch := text[i]; {
		case ch == ']' && !first:
			return i + 1, re + "]"
		case ch == '\\' && i+1 < len(text):
			i++
			re += regexp.QuoteMeta(text[i : i+1])
		case strings.IndexByte(`[]^&~\`, ch) >= 0:
			re += `\` + text[i:i+1]
		default:
			re += text[i : i+1]
		}
	}
	return 0, ""
}
