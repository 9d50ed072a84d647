package tools

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// show returns a name as it is if all of its characters are printable, else quoted.
func show(name string) string {
	const maxName = 1000 // bytes
	if len(name) > maxName {
		name = cutText(name, maxName) + "..."
	}
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// below returns name relative to dir. ok is false if it is neither below dir nor dir itself.
func below(dir, name string) (rel string, ok bool) {
	switch {
	case dir == "/":
		return strings.TrimPrefix(name, "/"), true
	case name == dir:
		return "", true
	}
	return strings.CutPrefix(name, dir+"/")
}

// modelPath returns a path in the form that a model should use: relative to the work dir if it
// is below that, else absolute.
func modelPath(workDir, name string) string {
	if rel, ok := below(workDir, name); ok && rel != "" && workDir != "/" {
		return rel
	}
	return path.Clean(name)
}

// quote returns text as a word of the shell.
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

// clean returns text in valid UTF-8: bytes that are no UTF-8 become U+FFFD.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// escapes matches the control sequences of terminals (ECMA-48): CSI; OSC, DCS, SOS, PM and
// APC with their strings; and those of two characters. Packages dockercli and sandbox remove
// them from output as well; neither imports this package.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]")

// plain returns the output of a command without control sequences and control characters.
// "\r\n" becomes "\n".
func plain(text string) string {
	text = escapes.ReplaceAllString(clean(text), "")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}

// plural returns a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
