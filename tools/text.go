package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// bound is the last guard of Options.MaxOutput. The tools themselves stop earlier, where
// they can say how to go on.
func (s *Set) bound(text string) string {
	text = clean(text)
	if len(text) <= s.o.MaxOutput {
		return text
	}
	note := "\n[cut: %d bytes more]"
	kept := cutText(text, s.o.MaxOutput-len(note)-20)
	return kept + fmt.Sprintf(note, len(text)-len(kept))
}

// reserve is what pages leave of the output for their last line.
const reserve = 400

// pages collects lines up to a number of bytes.
type pages struct {
	strings.Builder
	room int
}

func (s *Set) pages() *pages { return &pages{room: s.o.MaxOutput - reserve} }

// add adds a line, or reports that it does not fit.
func (p *pages) add(line string) bool {
	line = clean(line)
	if p.room -= len(line) + 1; p.room < 0 {
		return false
	}
	p.WriteString(line)
	p.WriteByte('\n')
	return true
}

// structured is v as JSON, with characters such as < as they are.
func structured(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Structs of strings, numbers and slices of them: it cannot fail.
	_ = e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// text is what was added, without the last line's end.
func (p *pages) text() string { return strings.TrimSuffix(p.String(), "\n") }
