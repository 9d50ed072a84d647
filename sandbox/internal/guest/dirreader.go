//go:build linux

package guest

import (
	"bytes"
	"encoding/binary"
	"iter"
	"os"
	"slices"
	"strings"
	"syscall"
)

// entry is a name in a directory, and the kind of its file, such as syscall.DT_REG.
type entry struct {
	name string
	kind byte
}

// dirReader reads directories, one at a time.
type dirReader struct {
	c   *call
	buf []byte
	max int // how many bytes the entries of a directory may take
}

func newDirReader(c *call) *dirReader {
	return &dirReader{c: c, buf: make([]byte, 32<<10), max: searchMemory(64, 8<<20)}
}

// entries yields the entries of a directory in the order of names. If they are too many for
// the memory there is, it reads the directory several times, a range of names each time.
func (r *dirReader) entries(dir string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for after, more := "", true; more; {
			var all []entry
			err := r.c.run(func() (err error) {
				all, more, err = r.read(dir, after)
				return err
			})
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, e := range all {
				if !yield(e, nil) {
					return
				}
				after = e.name
			}
		}
	}
}

// read returns entries whose names follow after, and whether there are more.
func (r *dirReader) read(dir, after string) (all []entry, more bool, err error) {
	fd, err := openDir(dir)
	if err != nil {
		return nil, false, err
	}
	defer syscall.Close(fd)
	size, last := 0, ""
	for {
		if r.c.aborted() {
			return nil, false, errAborted
		}
		n, err := uninterrupted(func() (int, error) { return syscall.ReadDirent(fd, r.buf) })
		if err != nil {
			return nil, false, &os.PathError{Op: "readdir", Path: dir, Err: err}
		}
		if n <= 0 {
			sortEntries(all)
			return all, more, nil
		}
		for b := r.buf[:n]; len(b) > 0; {
			// struct linux_dirent64 of getdents64(2): inode, offset, the record's length, the
			// kind, and the name up to a NUL.
			const length, kind, name = 16, 18, 19
			record := b[:binary.NativeEndian.Uint16(b[length:])]
			b = b[len(record):]
			text := record[name:]
			text = text[:bytes.IndexByte(text, 0)]
			if string(text) == "." || string(text) == ".." || string(text) <= after || more && string(text) > last {
				continue
			}
			e := entry{name: string(text), kind: record[kind]}
			if e.kind == syscall.DT_UNKNOWN {
				e.kind = kindOf(dir + "/" + e.name)
			}
			all = append(all, e)
			if size += e.size(); size > r.max {
				// The first half of the names is enough for now.
				sortEntries(all)
				all = slices.Clone(all[:(len(all)+1)/2])
				more, last = true, all[len(all)-1].name
				size = 0
				for _, e := range all {
					size += e.size()
				}
			}
		}
	}
}

// size returns about how many bytes of memory e takes.
func (e entry) size() int { return len(e.name) + 40 }

func sortEntries(all []entry) {
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
}

// kindOf looks up the kind of a file: some file systems do not list it.
func kindOf(path string) byte {
	var st syscall.Stat_t
	if syscall.Lstat(path, &st) != nil {
		return syscall.DT_UNKNOWN // removed meanwhile
	}
	return byte(st.Mode & syscall.S_IFMT >> 12) // as IFTODT of dirent.h does
}

// openDir opens a directory for reading. It is an error if there is another file.
func openDir(dir string) (int, error) {
	return open(dir, syscall.O_DIRECTORY)
}

// open opens a file for reading, without waiting. Package os would ask the poller to watch
// it, a system call that fails for regular files and directories.
func open(path string, flags int) (int, error) {
	fd, err := uninterrupted(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|syscall.O_NOCTTY|flags, 0)
	})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// uninterrupted repeats a system call that a signal interrupted.
func uninterrupted(do func() (int, error)) (int, error) {
	for {
		if n, err := do(); err != syscall.EINTR {
			return n, err
		}
	}
}
