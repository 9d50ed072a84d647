//go:build linux

package guest

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// readDir sends one line of JSON for each entry, sorted by name.
func (c *call) readDir(m *wire.Path) (last []byte, v any, err error) {
	dir := c.s.abs(string(m.Path))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	l := &listing{c: c}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		if err := l.add(fileInfo(dir+"/"+e.Name(), info)); err != nil {
			return nil, nil, err
		}
	}
	last, err = l.last()
	return last, nil, err
}

// walk sends a line of JSON for the top of a tree and for each file below it, a directory
// before its entries. A directory that cannot be read is sent again with the error.
func (c *call) walk(m *wire.Walk) (last []byte, v any, err error) {
	l := &listing{c: c}
	err = c.visit(c.s.abs(string(m.Path)), m.Depth, func(path, below string, info fs.FileInfo, err error) error {
		e := &wire.WalkEntry{FileInfo: *fileInfo(path, info)}
		e.Name = []byte(below)
		if err != nil {
			e.Error = wireError(err)
		}
		return l.add(e)
	})
	if err != nil {
		return nil, nil, err
	}
	last, err = l.last()
	return last, nil, err
}

// usage adds up the sizes of a tree. A file with several names counts once.
func (c *call) usage(m *wire.Path) (any, error) {
	u := &wire.Usage{}
	seen := make(map[[2]uint64]bool)
	err := c.visit(c.s.abs(string(m.Path)), 0, func(_, _ string, info fs.FileInfo, err error) error {
		if err != nil {
			u.Errors++
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		if st.Nlink > 1 && !info.IsDir() {
			id := [2]uint64{uint64(st.Dev), st.Ino}
			if seen[id] {
				return nil
			}
			seen[id] = true
		}
		const block = 512 // stat(2), whatever the block size of the file system
		u.Disk += st.Blocks * block
		switch {
		case info.IsDir():
			u.Dirs++
		case info.Mode().IsRegular():
			u.Files++
			u.Bytes += info.Size()
		default:
			u.Others++
		}
		return nil
	})
	return u, err
}

// visit calls f for the top of a tree, which may be a symlink, and for each file below it,
// sorted by name in each directory. below is the path relative to the top. For a directory that
// cannot be read it calls f a second time, with the error. A depth of 0 is no limit.
func (c *call) visit(top string, depth int, f func(path, below string, info fs.FileInfo, err error) error) error {
	info, err := os.Stat(top)
	if err != nil {
		return err
	}
	return c.visitIn(top, "", info, depth, f)
}

func (c *call) visitIn(path, below string, info fs.FileInfo, depth int, f func(path, below string, info fs.FileInfo, err error) error) error {
	if c.aborted() {
		return errAborted
	}
	if err := f(path, below, info, nil); err != nil || !info.IsDir() {
		return err
	}
	entries, unread := os.ReadDir(path)
	in := below
	if in != "" {
		in += "/"
	}
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // removed meanwhile
		case err != nil:
			// The directory can be listed but not searched, or the path is too long.
			unread = cmp.Or(unread, err)
			continue
		case depth == 1:
			err = f(path+"/"+e.Name(), in+e.Name(), info, nil)
		default:
			err = c.visitIn(path+"/"+e.Name(), in+e.Name(), info, depth-1, f)
		}
		if err != nil {
			return err
		}
	}
	if unread != nil {
		return f(path, below, info, unread)
	}
	return nil
}
