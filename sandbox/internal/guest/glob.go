//go:build linux

package guest

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// state is how far one alternative of a pattern has matched.
type state struct {
	segments []segment
	next     int
}

// globber walks a tree once for all alternatives of a pattern.
type globber struct {
	c      *call
	m      *wire.Glob
	result wire.Searched
	out    []*wire.FileInfo // by modification time: the newest so far
	list   *listing         // by path: sent as found
	count  int
}

func (c *call) glob(m *wire.Glob) (last []byte, v any, err error) {
	pattern := string(m.Pattern)
	alternatives, err := compileGlob(pattern)
	if err != nil {
		return nil, nil, err
	}
	// shown is what the paths of matches begin with; dir is where that is.
	shown := strings.TrimSuffix(string(m.Dir), "/")
	dir := c.s.abs(string(m.Dir))
	switch {
	case strings.HasPrefix(pattern, "/"):
		shown, dir = "/", "/"
	case shown != "" || strings.HasPrefix(string(m.Dir), "/"):
		shown += "/"
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, nil, err
	}
	g := &globber{c: c, m: m, list: &listing{c: c}}
	var states []state
	for _, segments := range alternatives {
		states = append(states, state{segments: segments})
	}
	if err := g.walk(dir, shown, closure(states)); err != nil {
		return nil, nil, err
	}
	if m.Newest {
		g.keepNewest()
		for _, f := range g.out {
			if err := g.list.add(f); err != nil {
				return nil, nil, err
			}
		}
	}
	last, err = g.list.last()
	return last, &g.result, err
}

// closure adds the states in which a ** stands for no directory.
func closure(states []state) []state {
	for i := 0; i < len(states); i++ {
		if s := states[i]; s.next < len(s.segments) && s.segments[s.next].deep {
			states = append(states, state{s.segments, s.next + 1})
		}
	}
	return states
}

// walk matches the entries of one directory and goes on into those that can lead on.
func (g *globber) walk(dir, shown string, states []state) error {
	if g.c.aborted() {
		return errAborted
	}
	entries, err := g.entries(dir, states)
	if err != nil {
		g.result.Errors++
		return nil
	}
	for _, e := range entries {
		var next []state
		found, follow := false, false
		for _, s := range states {
			if s.next == len(s.segments) {
				continue
			}
			segment := &s.segments[s.next]
			end := s.next+1 == len(s.segments)
			switch {
			case segment.deep:
				if !g.m.Hidden && strings.HasPrefix(e.Name(), ".") {
					continue
				}
				found = found || end
				next = append(next, s)
			case segment.accepts(e.Name(), g.m.Hidden):
				found = found || end
				follow = follow || segment.match == nil
				if !end {
					next = append(next, state{s.segments, s.next + 1})
				}
			}
		}
		if found {
			if err := g.found(dir, shown, e); err != nil || g.result.More && !g.m.Newest {
				return err
			}
		}
		if len(next) == 0 || !e.IsDir() && !(follow && e.Type()&os.ModeSymlink != 0) {
			continue
		}
		if err := g.walk(dir+"/"+e.Name(), shown+e.Name()+"/", closure(next)); err != nil || g.result.More && !g.m.Newest {
			return err
		}
	}
	return nil
}

// entries lists a directory, or looks up the names where only those can match.
func (g *globber) entries(dir string, states []state) ([]os.DirEntry, error) {
	var names []string
	for _, s := range states {
		if s.next == len(s.segments) {
			continue
		}
		if segment := s.segments[s.next]; segment.deep || segment.match != nil {
			return os.ReadDir(dir)
		}
		names = append(names, s.segments[s.next].literal)
	}
	slices.Sort(names)
	var entries []os.DirEntry
	for _, name := range slices.Compact(names) {
		if info, err := os.Lstat(dir + "/" + name); err == nil {
			entries = append(entries, named{DirEntry: fs.FileInfoToDirEntry(info), name: name})
		}
	}
	return entries, nil
}

// named is an entry under the name it was looked up by, which for ".." is not its own.
type named struct {
	os.DirEntry
	name string
}

func (n named) Name() string { return n.name }

func (g *globber) found(dir, shown string, e os.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return nil // removed meanwhile
	}
	if g.count++; g.count > g.m.Limit {
		g.result.More = true
		if !g.m.Newest {
			return nil
		}
	}
	f := fileInfo(dir+"/"+e.Name(), info)
	f.Name = []byte(shown + e.Name())
	if !g.m.Newest {
		return g.list.add(f)
	}
	if g.out = append(g.out, f); len(g.out) > 2*g.m.Limit+1000 {
		g.keepNewest()
	}
	return nil
}

// keepNewest drops what cannot be among the newest any more.
func (g *globber) keepNewest() {
	slices.SortStableFunc(g.out, func(a, b *wire.FileInfo) int {
		return cmp.Or(cmp.Compare(b.ModTime, a.ModTime), strings.Compare(string(a.Name), string(b.Name)))
	})
	g.out = g.out[:min(len(g.out), g.m.Limit)]
}
