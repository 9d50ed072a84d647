package main

import "strings"

// compounds are the words that begin a line which has more lines, or may have.
var compounds = map[string]bool{"if": true, "elif": true, "else": true, "for": true, "while": true, "try": true,
	"except": true, "finally": true, "with": true, "def": true, "class": true, "async": true}

// complete reports whether the lines of Python can be run: nothing is left open, and a
// compound statement has the empty line that ends it. What is wrong in another way is
// complete, for the interpreter to refuse.
func complete(code string) bool {
	var (
		quote   string // that of the string it is in
		depth   int    // of brackets
		first   = true // nothing of the logical line has come yet
		open    bool   // the last line that is not indented has more lines
		colon   bool   // what came last is a colon
		word    bool   // the line begins at the margin with a word of compounds
		margin  bool   // it begins at the margin
		goesOn  bool   // by a backslash
		lineEnd = func() {
			if !first && margin {
				open = word || colon
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
				goesOn = i == len(code)
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
			word = compounds[rest[:end]] || c == '@'
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
				goesOn = true
			}
		}
	}
	lineEnd()
	last := code[strings.LastIndexByte(code, '\n')+1:]
	return !goesOn && depth == 0 && len(quote) != 3 && (!open || strings.TrimSpace(last) == "")
}

// readStatement asks for lines until they can be run, or one is an error. What is pasted
// runs as a whole once Enter is pressed, so that empty lines in it end nothing.
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
