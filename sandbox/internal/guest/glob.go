//go:build linux

package guest

import (
	"bytes"
	"cmp"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// globber walks a tree for a Glob. Its paths are relative to the directory that the pattern
// starts in.
type globber struct {
	c      *call
	m      *wire.Glob
	root   string // prefix that makes a path of the file system of one
	shown  string // prefix that makes a path for the host of one
	dirs   *dirReader
	files  *gathering
	list   *listing // of files by path, sent as they are found
	newest []found  // or those modified last, so far
}

// found is a file with the record that is sent for it.
type found struct {
	time   int64
	record []byte
}

func (c *call) glob(m *wire.Glob) (last []byte, v any, err error) {
	pattern := string(m.Pattern)
	compiled, err := match.Compile(pattern)
	if err != nil {
		return nil, nil, wire.Invalid("%v", err)
	}
	g := &globber{c: c, m: m, list: &listing{c: c}}
	dir := c.s.abs(string(m.Dir))
	g.shown = strings.TrimSuffix(string(m.Dir), "/")
	switch {
	case strings.HasPrefix(pattern, "/"):
		g.shown, dir = "/", "/"
	case g.shown != "" || strings.HasPrefix(string(m.Dir), "/"):
		g.shown += "/"
	}
	g.root = strings.TrimSuffix(dir, "/") + "/"
	fd, err := openDir(dir)
	if err != nil {
		return nil, nil, err
	}
	syscall.Close(fd)
	g.files = &gathering{c: c, size: 64, limit: max(m.Limit, 0), deliver: g.send,
		start: func() (fileSearch, error) { return globSearch{g}, nil }}
	if m.Newest {
		g.files.limit, g.files.deliver = math.MaxInt, g.keep
	}
	if err := g.files.begin(); err != nil {
		return nil, nil, err
	}
	g.dirs = newDirReader(c)
	var ignores *ignores
	if m.GitIgnore {
		ignores = newIgnores(c, g.files.fail, dir)
	}
	if err := g.files.end(g.walk("", compiled.States(), ignores)); err != nil {
		return nil, nil, err
	}
	if m.Newest {
		g.files.more = g.files.more || len(g.newest) > m.Limit
		g.keepNewest()
		for _, f := range g.newest {
			if err := g.list.raw(f.record); err != nil {
				return nil, nil, err
			}
		}
	}
	last, err = g.list.last()
	return last, &wire.Searched{More: g.files.more, Errors: g.files.errors}, err
}

// walk matches the entries of one directory and goes on into those below which something can
// match. dir is its path with a "/" at the end, or empty.
func (g *globber) walk(dir string, states match.States, ignores *ignores) error {
	var next match.States
	for e, err := range g.entries(dir, states) {
		if err == errAborted {
			return err
		}
		if err != nil {
			g.files.fail()
			return nil
		}
		step := states.Step(e.name, g.m.Hidden, next)
		next = step.Next
		matches := step.Match || step.MatchDir && g.isDir(dir, e)
		enter := len(next) > 0 && (e.kind == syscall.DT_DIR || step.Literal && e.kind == syscall.DT_LNK)
		if !matches && !enter || ignores.skip(e) {
			continue
		}
		path := dir + e.name
		if matches {
			if err := g.files.add(path); err != nil {
				return err
			}
		}
		if enter {
			if err := g.walk(path+"/", next.Enter(), ignores.inside(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isDir reports whether an entry is a directory, or a symlink that leads to one.
func (g *globber) isDir(dir string, e entry) bool {
	if e.kind != syscall.DT_LNK {
		return e.kind == syscall.DT_DIR
	}
	info, err := os.Stat(g.root + dir + e.name)
	return err == nil && info.IsDir()
}

// entries lists a directory, or looks up the names that can match if the pattern has them.
func (g *globber) entries(dir string, states match.States) iter.Seq2[entry, error] {
	names, ok := states.Literals()
	if !ok {
		return g.dirs.entries(strings.TrimSuffix(g.root+dir, "/"))
	}
	return func(yield func(entry, error) bool) {
		for _, name := range names {
			if err := g.c.stopped(); err != nil {
				yield(entry{}, err)
				return
			}
			kind := kindOf(g.root + dir + name)
			if kind != syscall.DT_UNKNOWN && !yield(entry{name, kind}, nil) {
				return
			}
		}
	}
}

// globSearch describes the files that were found.
type globSearch struct{ *globber }

func (g globSearch) search(path string, f *findings) error {
	info, err := os.Lstat(g.root + path)
	if err != nil {
		return nil // removed meanwhile
	}
	if err := f.begin(); err != nil {
		return err
	}
	fi := fileInfo(g.root+path, info)
	fi.Name = []byte(g.shown + path)
	f.buf = wire.AppendFileInfo(f.buf, fi)
	return f.spill()
}

func (g globSearch) close() {}

// send sends the findings.
func (g *globber) send(f *findings) error { return g.list.raw(f.buf) }

// keep keeps the findings as long as they can be among the newest.
func (g *globber) keep(f *findings) error {
	for i, begin := range f.begins {
		end := len(f.buf)
		if i+1 < len(f.begins) {
			end = f.begins[i+1]
		}
		record := bytes.Clone(f.buf[begin:end])
		fi, err := wire.NewRecords(record).FileInfo()
		if err != nil {
			return err
		}
		g.newest = append(g.newest, found{fi.ModTime, record})
	}
	if len(g.newest) > 2*g.m.Limit+1000 {
		g.keepNewest()
	}
	return nil
}

// keepNewest drops the files that cannot be among the newest any more. Files of one time stay
// in their order.
func (g *globber) keepNewest() {
	slices.SortStableFunc(g.newest, func(a, b found) int { return cmp.Compare(b.time, a.time) })
	if len(g.newest) > g.m.Limit {
		g.newest, g.files.more = g.newest[:g.m.Limit], true
	}
}
