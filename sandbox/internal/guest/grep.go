//go:build linux

package guest

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

const (
	// grepWindow is how much of a file is searched at a time; it ends at a line's end.
	grepWindow = 128 << 10
	// grepLine is the longest line that is searched whole; a longer one is searched in pieces.
	grepLine = 4 << 20
	// grepText is how much of a line is returned.
	grepText = 2000
	// binaryProbe is how far into a file a NUL byte makes it binary.
	binaryProbe = 8000
	// maxMultiline is the size of the largest file that is searched for matches over several
	// lines.
	maxMultiline = 16 << 20
)

// grepper walks a tree. Its paths are relative to the file or directory that the search
// starts at.
type grepper struct {
	c          *call
	m          *wire.Grep
	expression *match.Expression
	include    match.Filter
	root       string // prefix that makes a path of the file system of one
	shown      string // prefix that makes a path for the host of one
	dirs       *dirReader
	files      *gathering
	list       *listing
}

func (c *call) grep(m *wire.Grep) (last []byte, v any, err error) {
	g := &grepper{c: c, m: m, list: &listing{c: c}}
	o := match.Options{IgnoreCase: m.IgnoreCase, Multiline: m.Multiline}
	if g.expression, err = match.CompileExpression(string(m.Pattern), o); err != nil {
		return nil, nil, wire.Invalid("%v", err)
	}
	if g.include, err = compileFilter(m.Include); err != nil {
		return nil, nil, err
	}
	m.Before = min(m.Before, searchMemory(64, 2<<20)/grepText) // lines that have to be kept
	path := c.s.abs(string(m.Path))
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	g.root, g.shown = strings.TrimSuffix(path, "/"), strings.TrimSuffix(string(m.Path), "/")
	if info.IsDir() {
		g.root += "/"
		if g.shown != "" || len(m.Path) > 0 {
			g.shown += "/"
		}
	} else if err = regular(path, info); err != nil {
		return nil, nil, err
	}
	g.files = &gathering{c: c, size: 8, limit: max(m.Limit, 0), start: g.start,
		deliver: func(f *findings) error { return g.list.raw(f.buf) }}
	if err := g.files.begin(); err != nil {
		return nil, nil, err
	}
	g.dirs = newDirReader(c)
	if err := g.files.end(g.walkAll(info.IsDir())); err != nil {
		return nil, nil, err
	}
	last, err = g.list.last()
	return last, &wire.Searched{More: g.files.more, Errors: g.files.errors}, err
}

func (g *grepper) walkAll(isDir bool) error {
	if !isDir {
		return g.files.add("")
	}
	var ignores *ignores
	if g.m.GitIgnore {
		ignores = newIgnores(g.c, g.files.fail, g.root)
	}
	return g.walk("", ignores)
}

// walk hands on the files of one directory and of those below. dir is its path with a "/" at
// the end, or empty.
func (g *grepper) walk(dir string, ignores *ignores) error {
	for e, err := range g.dirs.entries(strings.TrimSuffix(g.root+dir, "/")) {
		if err == errAborted {
			return err
		}
		if err != nil {
			g.files.fail()
			return nil
		}
		isDir := e.kind == syscall.DT_DIR
		if !isDir && e.kind != syscall.DT_REG || !g.m.Hidden && strings.HasPrefix(e.name, ".") {
			continue
		}
		path := dir + e.name
		switch {
		case !isDir && len(g.include) > 0 && !g.include.Match(path) || ignores.skip(e):
		case isDir:
			err = g.walk(path+"/", ignores.inside(e))
		default:
			err = g.files.add(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compileFilter compiles the patterns of a message.
func compileFilter(patterns [][]byte) (match.Filter, error) {
	var texts []string
	for _, pattern := range patterns {
		texts = append(texts, string(pattern))
	}
	f, err := match.CompileFilter(texts...)
	if err != nil {
		return nil, wire.Invalid("%v", err)
	}
	return f, nil
}

// start makes the search of a goroutine. Its buffer is not of the heap: most of it is for
// lines of a length that does not occur, and is never touched.
func (g *grepper) start() (fileSearch, error) {
	s := &fileGrep{grepper: g, step: grepWindow}
	size := max(searchMemory(64, grepLine), grepWindow)
	if g.m.Multiline {
		// One byte more, to see that a file is larger.
		size = max(searchMemory(64, maxMultiline), grepWindow) + 1
	}
	s.lines = g.expression.Finder(searchMemory(256, 512<<10), g.c.stopped)
	var err error
	s.buf, err = syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return s, nil
}

// fileGrep searches files one after the other.
type fileGrep struct {
	*grepper
	buf   []byte
	step  int // how many bytes of it are filled at a time
	lines match.Finder
	f     *findings

	// Of the file that is being searched.
	path    string
	again   bool     // its path has been sent
	number  int      // lines before the window, or before the last match in it
	sent    int      // the number of the last line that was sent
	matches int      // lines that match
	before  [][]byte // the last lines before the window, which can be context
	after   int      // how many more lines of context to send
	inside  bool     // the window begins inside a line
	handled bool     // and a piece of that line has been sent or counted
}

func (s *fileGrep) close() { _ = syscall.Munmap(s.buf) }

var newline = []byte{'\n'}

// errNext ends the search of a file early: no more of it is wanted.
var errNext = errors.New("next file")

// search searches one file. A file that cannot be read is counted, and the search goes on.
func (s *fileGrep) search(path string, f *findings) error {
	*s = fileGrep{grepper: s.grepper, buf: s.buf, step: s.step, lines: s.lines, f: f, path: path, before: s.before[:0]}
	fd, err := open(s.root+path, 0)
	if err != nil {
		f.errors++
		return nil
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		f.errors++
		return nil
	}
	if err = s.read(fd, st.Size); err == errNext {
		err = nil
	}
	if err == nil && s.matches > 0 && (s.m.Count || s.m.FilesOnly) {
		if err = f.begin(); err != nil {
			return err
		}
		line := &wire.GrepLine{Path: []byte(s.shown + path), Match: true}
		if s.m.Count {
			line.Count = s.matches
		}
		f.buf = wire.AppendGrepLine(f.buf, line, false)
		return f.spill()
	}
	return err
}

// read reads the file, a window at a time. A file of /proc says that it is empty and is not.
func (s *fileGrep) read(fd int, size int64) error {
	n, want, total := 0, s.step, int64(0)
	if s.m.Multiline {
		want = len(s.buf)
	}
	for first := true; ; first = false {
		end := false
		for n < want && !end {
			if s.c.aborted() {
				return errAborted
			}
			k, err := uninterrupted(func() (int, error) { return syscall.Read(fd, s.buf[n:min(want, n+s.step)]) })
			if err != nil {
				s.f.errors++
				return nil
			}
			n += k
			total += int64(k)
			end = k == 0 || total == size
		}
		if first && bytes.IndexByte(s.buf[:min(n, binaryProbe)], 0) >= 0 {
			return nil
		}
		// Search up to the last line's end, and keep the rest for the next window.
		cut := n
		if !end {
			if s.m.Multiline {
				s.f.errors++ // too large
				return nil
			}
			cut = bytes.LastIndexByte(s.buf[:n], '\n') + 1
			if cut == 0 && n < len(s.buf) {
				want = min(2*n, len(s.buf))
				continue
			} else if cut == 0 {
				cut = n
			}
		}
		if err := s.window(s.buf[:cut], end); err != nil || end {
			return err
		}
		_ = s.c.yield(func() error { return nil }) // to searches that wait for this cpu
		n = copy(s.buf, s.buf[cut:n])
		want = min(max(s.step, 2*n), len(s.buf))
	}
}

// window searches whole lines, or a piece of one. end says that they are the file's last.
func (s *fileGrep) window(text []byte, end bool) error {
	pos := 0 // lines before here have been dealt with
	if s.inside && s.handled {
		if pos = bytes.IndexByte(text, '\n') + 1; pos == 0 {
			return nil
		}
	}
	s.inside, s.handled = len(text) > 0 && text[len(text)-1] != '\n', false
	s.lines.Begin(text)
	counted := 0
	for pos < len(text) {
		first, last, ok, err := s.lines.Next(pos)
		if err != nil {
			return err
		}
		if !ok {
			first = len(text)
		}
		if s.after > 0 {
			if pos, err = s.contextAfter(text, pos, first); err != nil {
				return err
			}
		}
		if !ok {
			break
		}
		switch {
		case s.m.FilesOnly:
			s.matches++
			return errNext
		case s.m.Count:
			s.matches += 1 + bytes.Count(text[first:last], newline)
		default:
			s.number += bytes.Count(text[counted:first], newline)
			counted = first
			if err := s.found(text, pos, first, last); err != nil {
				return err
			}
		}
		if pos = last + 1; pos > len(text) {
			pos, s.handled = len(text), true
		}
	}
	if !end && !s.m.Count {
		s.number += bytes.Count(text[counted:], newline)
		s.keep(text, pos)
	}
	return nil
}

// found sends the lines from first to last, which match, and their context before.
func (s *fileGrep) found(text []byte, pos, first, last int) error {
	for begin := first; begin <= last; {
		if err := s.f.begin(); err != nil {
			return err
		}
		if begin == first && s.m.Before > 0 {
			if err := s.contextBefore(text, pos, first); err != nil {
				return err
			}
		}
		line, _, _ := bytes.Cut(text[begin:last], newline)
		number := s.number + 1
		if begin > first {
			number = s.sent + 1
		}
		if err := s.send(number, line, true); err != nil {
			return err
		}
		begin += len(line) + 1
	}
	s.after = s.m.After
	return nil
}

// lastLines returns where the last Before lines begin of those between pos and first, and how
// many they are.
func (s *fileGrep) lastLines(text []byte, pos, first int) (begin, n int) {
	for begin = first; n < s.m.Before && begin > pos; n++ {
		begin = bytes.LastIndexByte(text[:begin-1], '\n') + 1
	}
	return begin, n
}

// contextBefore sends the lines before a match. Those before pos are sent already.
func (s *fileGrep) contextBefore(text []byte, pos, first int) error {
	begin, n := s.lastLines(text, pos, first)
	var kept [][]byte
	if pos == 0 {
		kept = s.before[max(len(s.before)-(s.m.Before-n), 0):]
	}
	number := s.number + 1 - n - len(kept)
	for _, line := range kept {
		if err := s.send(number, line, false); err != nil {
			return err
		}
		number++
	}
	for line := range bytes.Lines(text[begin:first]) {
		if err := s.send(number, bytes.TrimSuffix(line, newline), false); err != nil {
			return err
		}
		number++
	}
	return nil
}

// keep keeps the last lines of a window, as context for a match in the next one.
func (s *fileGrep) keep(text []byte, pos int) {
	if s.m.Before == 0 {
		return
	}
	if pos > 0 {
		s.before = s.before[:0]
	}
	whole := max(bytes.LastIndexByte(text, '\n')+1, pos)
	begin, _ := s.lastLines(text, pos, whole)
	for line := range bytes.Lines(text[begin:whole]) {
		line = bytes.TrimSuffix(line, newline)
		s.before = append(s.before, bytes.Clone(line[:min(len(line), grepText)]))
	}
	if more := len(s.before) - s.m.Before; more > 0 {
		s.before = append(s.before[:0], s.before[more:]...)
	}
}

// contextAfter sends the lines after a match, up to the next match. It returns the position
// after them.
func (s *fileGrep) contextAfter(text []byte, pos, first int) (int, error) {
	for ; s.after > 0 && pos < first; s.after-- {
		line, rest, _ := bytes.Cut(text[pos:first], newline)
		if err := s.send(s.sent+1, line, false); err != nil {
			return 0, err
		}
		pos = first - len(rest)
		s.handled = pos == len(text)
	}
	return pos, nil
}

// send sends a line without its end.
func (s *fileGrep) send(number int, text []byte, match bool) error {
	text = bytes.TrimSuffix(text, []byte{'\r'})
	line := &wire.GrepLine{Number: number, Text: text[:min(len(text), grepText)], Match: match}
	if !s.again {
		line.Path = []byte(s.shown + s.path)
	}
	s.f.buf = wire.AppendGrepLine(s.f.buf, line, s.again)
	s.again, s.sent = true, number
	return s.f.spill()
}
