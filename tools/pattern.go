package tools

import (
	"fmt"
	"regexp"
	"strings"
)

// globRegexp translates a glob pattern to a regular expression for a whole path.
func globRegexp(pattern string) (string, error) {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	depth := 0
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		atStart := i == 0 || pattern[i-1] == '/'
		switch ch := pattern[i]; {
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
				return "", fmt.Errorf(`a [ has no ]; write \[ for the character itself`)
			}
			re.WriteString(class)
			i += n - 1
		case ch == '\\':
			if i++; i == len(pattern) {
				return "", fmt.Errorf("a backslash at the end takes no character")
			}
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	if depth > 0 {
		return "", fmt.Errorf(`a { has no }; write \{ for the character itself`)
	}
	re.WriteString(`\z`)
	return re.String(), nil
}

// classRegexp translates the class that text begins with; n is its length, 0 where it has
// no end. It never matches "/".
func classRegexp(text string) (n int, class string) {
	i, out := 1, "["
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, out = i+1, "[^/"
	}
	for first := true; i < len(text) && text[i] != '/'; i, first = i+1, false {
		switch ch := text[i]; {
		case ch == ']' && !first:
			return i + 1, out + "]"
		case ch == '\\' && i+1 < len(text):
			i++
			out += regexp.QuoteMeta(text[i : i+1])
		case strings.IndexByte(`[]^&~\`, ch) >= 0:
			out += `\` + text[i:i+1]
		default:
			out += text[i : i+1]
		}
	}
	return 0, ""
}
