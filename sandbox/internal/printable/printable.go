// Package printable makes text that comes out of a container safe to show.
package printable

import (
	"regexp"
	"strings"
)

// maxText is how many bytes of a text are shown.
const maxText = 4 << 10

// escapes are the sequences that steer a terminal. Packages dockercli and tools have the same
// expression: no package of the library's top level can hold it for all three, and one table
// of cases, dockercli/testdata/escapes.json, keeps them alike.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]")

// Text returns text with its control characters but tab and line end replaced, and cut
// after 4 KiB.
func Text(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

// Line returns a line of a program's output as Text does, without terminal escapes and
// trailing blanks.
func Line(line []byte) string {
	return strings.TrimRight(Text(escapes.ReplaceAllString(string(line), "")), " \t")
}
