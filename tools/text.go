package tools

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// show is a name as it is where that is harmless in a line of text, else quoted.
func show(name string) string {
	const longest = 1000
	if len(name) > longest {
		name = cutText(name, longest) + "..."
	}
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// below returns name relative to dir, where it is below it or dir itself.
func below(dir, name string) (string, bool) {
	switch {
	case dir == "/":
		return strings.TrimPrefix(name, "/"), true
	case name == dir:
		return "", true
	}
	return strings.CutPrefix(name, dir+"/")
}

// display is the path that a model gives to come back to this one: relative to the work
// dir where that is shorter.
func display(work, name string) string {
	if rel, ok := below(work, name); ok && rel != "" && work != "/" {
		return rel
	}
	return path.Clean(name)
}

// quote is text as a word of the shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// cutText returns at most n bytes of text, ending with a whole character.
func cutText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// clean is text that can stand in JSON: what is not UTF-8 becomes U+FFFD.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// escapes are the control sequences of terminals (ECMA-48): CSI, OSC and the like, and
// two-character ones.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]")

// plain is the output of a command without what only a terminal understands.
func plain(text string) string {
	text = escapes.ReplaceAllString(clean(text), "")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
