package match

import "strings"

// The results of wild.match. The last two spare its callers attempts that cannot succeed.
const (
	wildMatch = iota
	wildNone
	wildAbort       // nor would it match if a * before took more of the text
	wildAbortToDeep // the same, unless that is a **
)

// wildSteps bounds the work on one pattern: under git's rules a few ** can take for ever.
const wildSteps = 50_000

// wildmatch reports whether git would say that a pattern of .gitignore matches. With
// slashes, only a "/" itself and ** match a "/". It is git's wildmatch.c with all its
// peculiarities, except that its work is bounded.
func wildmatch(pattern, text string, slashes bool) bool {
	w := wild{slashes: slashes, steps: wildSteps}
	return w.match(pattern, text) == wildMatch
}

type wild struct {
	slashes bool
	steps   int
}

// byteAt returns the byte at an index, or 0 after the end, as strings in C end.
func byteAt(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func (w *wild) match(p, text string) int {
	t := 0
	for i := 0; i < len(p); i, t = i+1, t+1 {
		if w.steps--; w.steps < 0 {
			return wildAbort
		}
		ch := byteAt(text, t)
		if ch == 0 && p[i] != '*' {
			return wildAbort
		}
		switch p[i] {
		case '\\':
			if i++; byteAt(p, i) != ch {
				return wildNone
			}
		case '?':
			if w.slashes && ch == '/' {
				return wildNone
			}
		case '*':
			before := i - 1
			deep := !w.slashes
			if i++; byteAt(p, i) == '*' {
				for byteAt(p, i) == '*' {
					i++
				}
				if w.slashes && (before < 0 || p[before] == '/') &&
					(i == len(p) || p[i] == '/' || p[i] == '\\' && byteAt(p, i+1) == '/') {
					// a/**/b matches a/b, too.
					if byteAt(p, i) == '/' && w.match(p[i+1:], text[t:]) == wildMatch {
						return wildMatch
					}
					deep = true
				}
			}
			rest := p[i:]
			if rest == "" {
				if !deep && strings.Contains(text[t:], "/") {
					return wildNone
				}
				return wildMatch
			}
			if !deep && rest[0] == '/' {
				// The rest of one element, up to the slash.
				slash := strings.IndexByte(text[t:], '/')
				if slash < 0 {
					return wildNone
				}
				t += slash
				continue
			}
			return w.star(rest, text[t:], deep)
		case '[':
			n, in := wildClass(p[i:], ch)
			if n == 0 {
				return wildAbort
			}
			if !in || w.slashes && ch == '/' {
				return wildNone
			}
			i += n - 1
		default:
			if p[i] != ch {
				return wildNone
			}
		}
	}
	if t < len(text) {
		return wildNone
	}
	return wildMatch
}

// star matches the rest of the pattern after a * at each place where the * can end.
func (w *wild) star(rest, text string, deep bool) int {
	for t := 0; t < len(text); t++ {
		if w.steps--; w.steps < 0 {
			return wildAbort
		}
		switch m := w.match(rest, text[t:]); {
		case m != wildNone:
			if !deep || m != wildAbortToDeep {
				return m
			}
		case !deep && text[t] == '/':
			return wildAbortToDeep
		}
	}
	return wildAbort
}

// wildClass reports whether a byte is in the class that a pattern begins with. n is the length
// of the class, 0 if it has no end.
func wildClass(p string, ch byte) (n int, in bool) {
	i, negated := 1, false
	if c := byteAt(p, i); c == '!' || c == '^' {
		i, negated = i+1, true
	}
	var before byte
	for first := true; first || byteAt(p, i) != ']'; i, first = i+1, false {
		c := byteAt(p, i)
		switch {
		case c == 0:
			return 0, false
		case c == '\\':
			if i++; byteAt(p, i) == 0 {
				return 0, false
			}
			c = p[i]
			in = in || ch == c
		case c == '-' && before != 0 && byteAt(p, i+1) != 0 && p[i+1] != ']':
			if i++; p[i] == '\\' {
				if i++; byteAt(p, i) == 0 {
					return 0, false
				}
			}
			in = in || before <= ch && ch <= p[i]
			c = 0 // ends a range, and does not begin another
		case c == '[' && byteAt(p, i+1) == ':':
			end := strings.IndexByte(p[i+2:], ']')
			if end < 0 {
				return 0, false
			}
			name, ok := strings.CutSuffix(p[i+2:i+2+end], ":")
			if !ok {
				in = in || ch == '[' // and no name
				break
			}
			member := wildClasses[name]
			if member == nil {
				return 0, false
			}
			in = in || member(ch)
			i += 2 + end
			c = 0
		default:
			in = in || ch == c
		}
		before = c
	}
	return i + 1, in != negated
}

// wildClasses are the named classes of git, for ASCII alone.
var wildClasses = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return isAlpha(c) || isDigit(c) },
	"alpha":  isAlpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  func(c byte) bool { return c >= 'a' && c <= 'z' },
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"upper":  func(c byte) bool { return c >= 'A' && c <= 'Z' },
	"xdigit": func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' },
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
