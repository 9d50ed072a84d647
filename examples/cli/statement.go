package main

import "strings"

// compounds are the keywords of statements that may span lines.
var compounds = map[string]bool{"if": true, "elif": true, "else": true, "for": true, "while": true, "try": true,
	"except": true, "finally": true, "with": true, "def": true, "class": true, "async": true}

// complete reports whether lines of Python can be run: no string or bracket is open, and a compound
// statement has the empty line that ends it. Any other mistake is complete, so that the
// interpreter reports it.
func complete(code string) bool {
	var (
		quote     string // the quote of the open string
		depth     int    // of brackets
		first     = true // the logical line has no token yet
		open      bool   // the last line at the margin begins a compound statement
		colon     bool   // the last token is a colon
		compound  bool   // the line begins with a word of compounds
		margin    bool   // the line is not indented
		continued bool   // the text ends with a backslash
		lineEnd   = func() {
			if !first && margin {
				open = compound || colon
			}
			first, colon = true, false
		}
	)
	for i := 0; i < len(code); i++ {
		c := code[i]
		if quote != "" {
			switch {
			case c == '\\':
				i++
				continued = i == len(code)
			case c == '\n' && len(quote) == 1:
				quote = ""
				lineEnd()
			case strings.HasPrefix(code[i:], quote):
				i += len(quote) - 1
				quote = ""
			}
			continue
		}
		switch c {
		case ' ', '\t', '\r', '\f':
			continue
		case '\n':
			if depth == 0 {
				lineEnd()
			}
			continue
		case '#':
			if end := strings.IndexByte(code[i:], '\n'); end >= 0 {
				i += end - 1
			} else {
				i = len(code)
			}
			continue
		}
		if first {
			first = false
			margin = i == 0 || code[i-1] == '\n'
			rest := code[i:]
			end := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
			if end < 0 {
				end = len(rest)
			}
			compound = compounds[rest[:end]] || c == '@'
		}
		colon = c == ':'
		switch c {
		case '"', '\'':
			quote = string(c)
			if triple := strings.Repeat(quote, 3); strings.HasPrefix(code[i:], triple) {
				quote = triple
				i += 2
			}
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(0, depth-1)
		case '\\':
			if i++; i == len(code) {
				continued = true
			}
		}
	}
	lineEnd()
	last := code[strings.LastIndexByte(code, '\n')+1:]
	return !continued && depth == 0 && len(quote) != 3 && (!open || strings.TrimSpace(last) == "")
}

// readStatement asks for lines until they can be run, or until ask fails. Pasted lines run as a
// whole when Enter is pressed, so an empty line among them ends no statement.
func readStatement(ask func(prompt string) (line string, pasted bool, err error)) (string, error) {
	var code strings.Builder
	for prompt := ">>> "; ; prompt = "... " {
		line, pasted, err := ask(prompt)
		if err != nil {
			return "", err
		}
		code.WriteString(line)
		if !pasted && complete(code.String()) {
			return code.String(), nil
		}
		code.WriteByte('\n')
	}
}
