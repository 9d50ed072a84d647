package tools

import (
	"fmt"
	"strings"
)

// reserve is how many bytes of Options.MaxOutput are left for the notes at the end of a text.
const reserve = 400

// page is the text of a result, made of lines up to a number of bytes. Notes are written to
// the Builder and are not counted.
type page struct {
	strings.Builder
	room int
}

func (s *Set) page() *page { return &page{room: s.o.MaxOutput - reserve} }

// add adds a line, and reports whether there was room for it.
func (p *page) add(line string) bool {
	line = clean(line)
	if p.room -= len(line) + 1; p.room < 0 {
		return false
	}
	p.WriteString(line)
	p.WriteByte('\n')
	return true
}

// addUnreadable notes how many files a search could not read.
func (p *page) addUnreadable(n int) {
	if n > 0 {
		fmt.Fprintf(p, "[%s could not be read]\n", plural(n, "file or directory", "files or directories"))
	}
}

// text returns the text without the end of the last line.
func (p *page) text() string { return strings.TrimSuffix(p.String(), "\n") }

// bound cuts a text to Options.MaxOutput. It is the last guard: the tools stop earlier, at a
// place that lets them say how to go on.
func (s *Set) bound(text string) string {
	text = clean(text)
	if len(text) <= s.o.MaxOutput {
		return text
	}
	note := "\n[cut: %d bytes more]"
	kept := cutText(text, s.o.MaxOutput-len(note)-20)
	return kept + fmt.Sprintf(note, len(text)-len(kept))
}
