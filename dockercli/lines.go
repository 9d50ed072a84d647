package dockercli

import (
	"fmt"
	"regexp"
	"strings"
)

// The bounds of Error.Stderr.
const (
	maxErrorLines = 20
	maxErrorBytes = 4 << 10
)

// lastLines returns the end of a text for an error message. It leaves out blank lines, the CLI's
// hints, and everything that only a terminal understands: the bytes may be a container's, and
// drive the terminal that shows the message.
func lastLines(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(plain(line), " \t")
		if line != "" && !strings.HasPrefix(line, "Run '") && !strings.HasPrefix(line, "See '") {
			lines = append(lines, line)
		}
	}
	if n := len(lines) - maxErrorLines; n > 0 {
		lines = append([]string{fmt.Sprintf("[%d lines left out]", n)}, lines[n:]...)
	}
	out := strings.Join(lines, "\n")
	if n := len(out) - maxErrorBytes; n > 0 {
		out = fmt.Sprintf("[%d bytes left out]", n) + strings.ToValidUTF8(out[n:], "")
	}
	return out
}

// escapes matches the control sequences of terminals (ECMA-48): CSI, the strings OSC, DCS, SOS, PM
// and APC, and the short ones. testdata/escapes.json has cases for every package with this pattern.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]")

// plain returns a line without control sequences and control characters. A sequence does not reach
// beyond its line, or one that is not closed would hide the rest of the text.
func plain(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r >= ' ' && r < 0x7f || r > 0x9f {
			return r
		}
		return -1
	}, escapes.ReplaceAllString(line, ""))
}
