package tools

import (
	"fmt"
	"strings"
)

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

// text is what was added, without the last line's end.
func (p *pages) text() string { return strings.TrimSuffix(p.String(), "\n") }

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
