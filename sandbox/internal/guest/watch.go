//go:build linux

package guest

import (
	"bytes"
	"cmp"
	"errors"
	"hash/maphash"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// The kinds of changes.
const (
	changeCreated  = "created"
	changeModified = "modified"
	changeRemoved  = "removed"
	changeOverflow = "overflow"
)

const (
	// maxChanges bounds the changes that are kept for a host that is slow to take them.
	maxChanges = 10_000
	// watchMask is the events that a directory is watched for: see inotify(7).
	watchMask = syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MODIFY | syscall.IN_ATTRIB |
		syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO | syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF |
		syscall.IN_ONLYDIR | syscall.IN_DONT_FOLLOW
)

// watcher follows the directories of a tree.
type watcher struct {
	c       *call
	top     string
	exclude match.Filter
	inotify *os.File
	fd      int

	dirs    map[int32]*watchedDir          // by the number of the watch
	numbers map[string]int32               // by path
	below   map[string]map[string]struct{} // names of watched directories in each, by path

	mu      sync.Mutex
	changes map[string]wire.Change // by path
	lost    bool                   // some changes are not among them
	ended   error
	news    chan struct{} // has a value if there is something to send
}

// watchedDir is a directory below the top.
type watchedDir struct {
	path string
	// names are hashes of the names in it: inotify does not tell whether a file that was moved
	// here replaced another one.
	names map[uint64]struct{}
}

var nameSeed = maphash.MakeSeed()

// watch sends changes in batches until the call is canceled or the directory is gone.
func (c *call) watch(m *wire.Watch) (any, error) {
	w := &watcher{c: c, top: c.s.abs(string(m.Path)), dirs: make(map[int32]*watchedDir), numbers: make(map[string]int32),
		below: make(map[string]map[string]struct{}), changes: make(map[string]wire.Change), news: make(chan struct{}, 1)}
	var err error
	if w.exclude, err = compileFilter(m.Exclude); err != nil {
		return nil, err
	}
	// Symlinks in the path of the top are followed, those below it are not.
	if w.top, err = evalSymlinks(w.top); err != nil {
		return nil, err
	}
	if w.fd, err = syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w.inotify = os.NewFile(uintptr(w.fd), "inotify")
	if err := w.add("", false); err != nil {
		w.inotify.Close()
		return nil, err
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.end(w.read())
	}()
	defer func() {
		w.inotify.Close()
		<-stopped
	}()
	l := &listing{c: c}
	if err := errors.Join(l.add(&wire.Change{}), l.flush()); err != nil {
		return nil, err
	}
	for {
		select {
		case <-c.quit:
			return nil, errAborted
		case <-w.news:
		}
		// One save is several changes, which are to come together.
		select {
		case <-c.quit:
			return nil, errAborted
		case <-time.After(time.Duration(m.Delay)):
		}
		if err := w.send(l); err != nil {
			return nil, err
		}
	}
}

// send sends the changes since the last time.
func (w *watcher) send(l *listing) error {
	w.mu.Lock()
	changes, lost, ended := w.changes, w.lost, w.ended
	w.changes, w.lost = make(map[string]wire.Change), false
	w.mu.Unlock()
	batch := slices.SortedFunc(maps.Values(changes), func(a, b wire.Change) int { return bytes.Compare(a.Path, b.Path) })
	if lost {
		batch = append([]wire.Change{{Kind: changeOverflow}}, batch...)
	}
	for i := range batch {
		batch[i].Last = i == len(batch)-1
		if err := l.add(&batch[i]); err != nil {
			return err
		}
	}
	return cmp.Or(l.flush(), ended)
}

// end notes that there will be no more changes.
func (w *watcher) end(err error) {
	w.mu.Lock()
	w.ended = err
	w.mu.Unlock()
	w.tell()
}

func (w *watcher) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// add watches a directory and those in it. fresh says that it is new, with all that it holds:
// files that were made in it before it was watched are changes, too.
func (w *watcher) add(dir string, fresh bool) error {
	if w.c.aborted() {
		return errAborted
	}
	path := filepath.Join(w.top, dir)
	number, err := syscall.InotifyAddWatch(w.fd, path, watchMask)
	switch {
	case err == syscall.ENOSPC:
		err := wire.Errorf(wire.CodeNoSpace, "more directories than the limit fs.inotify.max_user_watches of this host: leave some out with Exclude")
		if !fresh {
			return err
		}
		w.overflow()
		return nil
	case err != nil && dir == "":
		return &os.PathError{Op: "watch", Path: path, Err: err}
	case err != nil:
		return nil // gone meanwhile, or not readable
	}
	d := &watchedDir{path: dir, names: make(map[uint64]struct{})}
	w.dirs[int32(number)], w.numbers[dir] = d, int32(number)
	if dir != "" {
		in, name := split(dir)
		if w.below[in] == nil {
			w.below[in] = make(map[string]struct{})
		}
		w.below[in][name] = struct{}{}
	}
	entries, err := os.ReadDir(path)
	if err != nil && dir == "" {
		return err
	}
	for _, e := range entries {
		below := join(dir, e.Name())
		if w.exclude.Match(below) {
			continue
		}
		d.names[maphash.String(nameSeed, e.Name())] = struct{}{}
		if fresh {
			w.note(below, changeCreated, e.IsDir())
		}
		if e.IsDir() {
			if err := w.add(below, fresh); err != nil {
				return err
			}
		}
	}
	return nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// split splits a path that join has joined.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// drop stops to watch a directory and those below it. They may live on elsewhere.
func (w *watcher) drop(dir string) {
	for name := range w.below[dir] {
		w.drop(join(dir, name))
	}
	number, known := w.numbers[dir]
	if !known {
		return
	}
	// A directory that is gone has no watch any more.
	_, _ = syscall.InotifyRmWatch(w.fd, uint32(number))
	delete(w.dirs, number)
	delete(w.numbers, dir)
	in, name := split(dir)
	if delete(w.below[in], name); len(w.below[in]) == 0 {
		delete(w.below, in)
	}
}

var errUnwatched = wire.Errorf(wire.CodeNotExist, "the directory was removed or moved")

// read takes the kernel's events.
func (w *watcher) read() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.inotify.Read(buf)
		if err != nil {
			return err // closed
		}
		for b := buf[:n]; len(b) >= syscall.SizeofInotifyEvent; {
			e := (*syscall.InotifyEvent)(unsafe.Pointer(&b[0]))
			end := syscall.SizeofInotifyEvent + int(e.Len)
			name := string(bytes.TrimRight(b[syscall.SizeofInotifyEvent:end], "\x00"))
			b = b[end:]
			if err := w.event(e.Wd, e.Mask, name); err != nil {
				return err
			}
		}
	}
}

func (w *watcher) event(number int32, mask uint32, name string) error {
	if mask&syscall.IN_Q_OVERFLOW != 0 {
		// There may be directories whose creation was not told.
		w.overflow()
		return w.add("", false)
	}
	d := w.dirs[number]
	switch {
	case d == nil:
		return nil // it was dropped
	case mask&(syscall.IN_DELETE_SELF|syscall.IN_MOVE_SELF) != 0:
		if d.path == "" {
			return errUnwatched
		}
		return nil // its parent tells
	case name == "" || w.exclude.Match(join(d.path, name)):
		return nil
	}
	path, hash, isDir := join(d.path, name), maphash.String(nameSeed, name), mask&syscall.IN_ISDIR != 0
	switch {
	case mask&(syscall.IN_CREATE|syscall.IN_MOVED_TO) != 0:
		kind := changeCreated
		if _, known := d.names[hash]; known {
			kind = changeModified
		}
		d.names[hash] = struct{}{}
		w.note(path, kind, isDir)
		if isDir {
			w.drop(path)
			return w.add(path, true)
		}
	case mask&(syscall.IN_DELETE|syscall.IN_MOVED_FROM) != 0:
		delete(d.names, hash)
		if isDir {
			w.drop(path)
		}
		w.note(path, changeRemoved, isDir)
	default:
		w.note(path, changeModified, isDir)
	}
	return nil
}

func (w *watcher) overflow() {
	w.mu.Lock()
	w.lost = true
	w.mu.Unlock()
	w.tell()
}

// note adds a change to what is known of a path.
func (w *watcher) note(path, kind string, isDir bool) {
	w.mu.Lock()
	before, changed := w.changes[path]
	switch {
	case !changed && len(w.changes) >= maxChanges:
		w.lost = true
	case before.Kind == changeCreated && kind == changeRemoved:
		delete(w.changes, path) // it came and went in between
	default:
		if before.Kind == changeCreated {
			kind = changeCreated
		} else if before.Kind == changeRemoved && kind != changeRemoved {
			kind = changeModified // another file is in its place
		}
		w.changes[path] = wire.Change{Path: []byte(path), Kind: kind, Dir: isDir}
	}
	w.mu.Unlock()
	w.tell()
}
