//go:build linux

package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

const (
	// grepWindow is how much of a file is searched at a time; it ends at a line's end.
	grepWindow = 1 << 20
	// grepLine is the longest line; a longer one is searched in pieces.
	grepLine = 4 << 20
	// grepText is how much of a line is returned.
	grepText = 2000
	// binaryProbe is how far into a file a NUL byte makes it binary.
	binaryProbe = 8000
	// multilineMax is the largest file that patterns over several lines are looked for in.
	multilineMax = 16 << 20
)

// grepper searches files one after the other.
type grepper struct {
	c       *call
	m       *wire.Grep
	re      *regexp.Regexp
	include [][]segment
	result  wire.Searched
	list    *listing
	count   int // against the limit
	buf     []byte
}

func (c *call) grep(m *wire.Grep) (last []byte, v any, err error) {
	flags := "m"
	if m.IgnoreCase {
		flags += "i"
	}
	if m.Multiline {
		flags += "s"
	}
	re, err := regexp.Compile("(?" + flags + ":" + string(m.Pattern) + ")")
	if err != nil {
		return nil, nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("pattern %q: %v (the syntax is RE2)", m.Pattern, err)}
	}
	g := &grepper{c: c, m: m, re: re, list: &listing{c: c}, buf: make([]byte, 0, grepWindow)}
	for _, glob := range m.Include {
		alternatives, err := compileGlob(string(glob))
		if err != nil {
			return nil, nil, err
		}
		if !bytes.ContainsRune(glob, '/') {
			// A name is looked for at any depth.
			for i := range alternatives {
				alternatives[i] = append([]segment{{deep: true}}, alternatives[i]...)
			}
		}
		g.include = append(g.include, alternatives...)
	}
	shown := strings.TrimSuffix(string(m.Path), "/")
	path := c.s.abs(string(m.Path))
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		if shown != "" || len(m.Path) > 0 {
			shown += "/"
		}
		err = g.walk(path, shown, nil)
	default:
		if err = regular(path, info); err == nil {
			err = g.file(path, shown)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	last, err = g.list.last()
	return last, &g.result, err
}

func (g *grepper) walk(dir, shown string, below []string) error {
	if g.c.aborted() {
		return errAborted
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		g.result.Errors++
		return nil
	}
	for _, e := range entries {
		if !g.m.Hidden && strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := append(below[:len(below):len(below)], e.Name())
		switch {
		case e.IsDir():
			err = g.walk(dir+"/"+e.Name(), shown+e.Name()+"/", path)
		case e.Type().IsRegular() && g.included(path):
			err = g.file(dir+"/"+e.Name(), shown+e.Name())
		}
		if err != nil || g.result.More {
			return err
		}
	}
	return nil
}

func (g *grepper) included(path []string) bool {
	for _, segments := range g.include {
		if matchPath(segments, path) {
			return true
		}
	}
	return len(g.include) == 0
}

// matchPath matches the elements of a path; wildcards match hidden names, because the
// walk has left them out where they are not wanted.
func matchPath(segments []segment, path []string) bool {
	for i := range segments {
		if segments[i].deep {
			for skip := 0; skip <= len(path); skip++ {
				if matchPath(segments[i+1:], path[skip:]) {
					return true
				}
			}
			return false
		}
		if len(path) == 0 || !segments[i].accepts(path[0], true) {
			return false
		}
		path = path[1:]
	}
	return len(path) == 0
}

// file searches one file. That it cannot be read spoils nothing but itself.
func (g *grepper) file(path, shown string) error {
	if g.c.aborted() {
		return errAborted
	}
	f, info, err := openRegular(path)
	if err != nil {
		g.result.Errors++
		return nil
	}
	defer f.Close()
	r := &fileGrep{grepper: g, shown: filepath.Clean(shown)}
	if g.m.Multiline {
		if info.Size() > multilineMax {
			g.result.Errors++
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(f, multilineMax))
		if err != nil {
			g.result.Errors++
			return nil
		}
		if !binary(text) {
			if err := r.spans(text); err != nil || r.done {
				return err
			}
		}
		return r.finish()
	}
	g.buf = g.buf[:0]
	for first := true; ; first = false {
		n, err := io.ReadFull(f, g.buf[len(g.buf):cap(g.buf)])
		g.buf = g.buf[:len(g.buf)+n]
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			g.result.Errors++
			return nil
		}
		if first && binary(g.buf) {
			return nil
		}
		// Search up to the last line's end, and keep the rest for the next window.
		cut := len(g.buf)
		if !end {
			if cut = bytes.LastIndexByte(g.buf, '\n') + 1; cut == 0 && cap(g.buf) < grepLine {
				g.buf = append(make([]byte, 0, 2*cap(g.buf)), g.buf...)
				continue
			} else if cut == 0 {
				cut = len(g.buf)
			}
		}
		if err := r.window(g.buf[:cut]); err != nil || r.done {
			return err
		}
		g.buf = g.buf[:copy(g.buf, g.buf[cut:])]
		if end {
			return r.finish()
		}
		if g.c.aborted() {
			return errAborted
		}
	}
}

func binary(text []byte) bool {
	return bytes.IndexByte(text[:min(len(text), binaryProbe)], 0) >= 0
}

// fileGrep is the search of one file.
type fileGrep struct {
	*grepper
	shown   string
	number  int      // of the last line seen
	matches int      // lines that match
	before  [][]byte // the last lines that were not sent
	after   int      // how many more lines of context to send
	done    bool     // nothing more is wanted of this file
}

// window searches whole lines.
func (r *fileGrep) window(text []byte) error {
	if r.m.Before > 0 || r.m.After > 0 {
		for len(text) > 0 && !r.done {
			line, rest := cutLine(text)
			text = rest
			r.number++
			if err := r.line(line, r.re.Match(line)); err != nil {
				return err
			}
		}
		return nil
	}
	for len(text) > 0 && !r.done {
		at := r.re.FindIndex(text)
		if at == nil || at[0] == len(text) && text[at[0]-1] == '\n' {
			r.number += bytes.Count(text, []byte{'\n'})
			return nil
		}
		start := bytes.LastIndexByte(text[:at[0]], '\n') + 1
		r.number += bytes.Count(text[:start], []byte{'\n'}) + 1
		line, rest := cutLine(text[start:])
		text = rest
		// What was found may reach over the line's end, where lines are matched one by one.
		if at[1] <= start+len(line) || r.re.Match(line) {
			if err := r.line(line, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func cutLine(text []byte) (line, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// spans finds what reaches over lines; all lines that it touches match.
func (r *fileGrep) spans(text []byte) error {
	matched := make(map[int]bool)
	number, from := 0, 0
	for _, at := range r.re.FindAllIndex(text, -1) {
		if at[0] == len(text) && (at[0] == 0 || text[at[0]-1] == '\n') {
			break // after the last line's end is no line
		}
		number += bytes.Count(text[from:at[0]], []byte{'\n'})
		from = at[0]
		end := max(at[0], at[1]-1)
		for i := range bytes.Count(text[at[0]:end], []byte{'\n'}) + 1 {
			matched[number+i] = true
		}
	}
	for i := 0; len(text) > 0 && !r.done; i++ {
		line, rest := cutLine(text)
		text = rest
		r.number++
		if err := r.line(line, matched[i]); err != nil {
			return err
		}
	}
	return nil
}

// line takes one line, with what is known of it.
func (r *fileGrep) line(text []byte, match bool) error {
	switch {
	case match:
		r.matches++
		if r.m.Count {
			return nil
		}
		if r.m.FilesOnly {
			r.done = true
			return r.finish()
		}
		if r.full() {
			r.done = true
			return nil
		}
		for i, b := range r.before {
			if err := r.send(r.number-len(r.before)+i, b, false); err != nil {
				return err
			}
		}
		r.before, r.after = r.before[:0], r.m.After
		return r.send(r.number, text, true)
	case r.after > 0:
		r.after--
		return r.send(r.number, text, false)
	case r.m.Before > 0:
		if len(r.before) == r.m.Before {
			r.before = append(r.before[:0], r.before[1:]...)
		}
		r.before = append(r.before, bytes.Clone(text[:min(len(text), grepText)]))
	}
	return nil
}

// full counts against the limit, and reports whether it was reached before.
func (g *grepper) full() bool {
	g.count++
	g.result.More = g.count > g.m.Limit
	return g.result.More
}

func (r *fileGrep) send(number int, text []byte, match bool) error {
	text = bytes.TrimSuffix(text, []byte{'\r'})
	return r.list.add(&wire.GrepLine{Path: []byte(r.shown), Number: number, Text: text[:min(len(text), grepText)], Match: match})
}

// finish sends what is sent once for a file.
func (r *fileGrep) finish() error {
	if r.matches == 0 || !r.m.Count && !r.m.FilesOnly || r.full() {
		return nil
	}
	line := &wire.GrepLine{Path: []byte(r.shown), Match: true}
	if r.m.Count {
		line.Count = r.matches
	}
	return r.list.add(line)
}
