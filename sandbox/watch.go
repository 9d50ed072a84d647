package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// ChangeKind is what happened to a file.
type ChangeKind string

// The kinds of changes.
const (
	FileCreated  ChangeKind = "created"
	FileModified ChangeKind = "modified" // contents, mode, owner or times; or another file replaced it
	FileRemoved  ChangeKind = "removed"
	// ChangesLost: there were more changes than could be seen or kept, and the others are not
	// reported. Read the tree again.
	ChangesLost ChangeKind = "overflow"
)

// Change is the net change of one file since the last batch.
type Change struct {
	// Path is the path of the file below the watched directory. It is empty with ChangesLost.
	Path  string
	Kind  ChangeKind
	IsDir bool
}

// WatchOptions say what Watch reports; nil is all defaults.
type WatchOptions struct {
	// Exclude is a list of globs, such as "node_modules". Files and directories that one of
	// them matches are left out, with everything below. A glob without a "/" matches a name at
	// any depth; one with a "/" matches a path below the directory. Default: none.
	Exclude []string
	// Delay is how long changes are gathered into a batch, so that one save is one change.
	// Default: 50 ms.
	Delay time.Duration
}

// Watcher reports changes of a tree. One goroutine at a time may call Next; any goroutine may
// call Close.
type Watcher struct {
	dir   string
	lines *lineCall[wire.Change]
	err   error
}

// Watch watches a directory and everything below it, without following symlinks. Changes after
// its return are reported, and so are those in directories that are made later. A rename is two
// changes, FileRemoved and FileCreated. A directory that is moved away is one change.
//
// Each directory uses one of the kernel's inotify watches. A user has a limited number of
// those; if they run out, the error is CodeNoSpace. A watch does not keep the sandbox from being
// Idle. It ends with ctx, or by Close.
func (sb *Sandbox) Watch(ctx context.Context, dir string, opts *WatchOptions) (*Watcher, error) {
	o := orZero(opts)
	if o.Delay < 0 {
		return nil, failure("watch", dir, invalid("delay %v is negative", o.Delay))
	}
	m := &wire.Watch{Path: []byte(dir), Delay: int64(cmp.Or(o.Delay, 50*time.Millisecond))}
	for _, glob := range o.Exclude {
		m.Exclude = append(m.Exclude, []byte(glob))
	}
	l, err := startLines[wire.Change](ctx, sb, wire.OpWatch, m)
	if err != nil {
		return nil, sb.failure("watch", dir, err)
	}
	w := &Watcher{dir: dir, lines: l}
	if _, err := l.next(); err != nil { // the first line only says that the watch has begun
		if err == io.EOF {
			err = &wire.ProtocolError{Reason: "a watch that ended before it began"}
		}
		l.close()
		return nil, sb.failure("watch", dir, err)
	}
	l.call.Quiet(true)
	return w, nil
}

// Next waits for changes and returns one batch of them, sorted by path: at most 10,000, and
// ChangesLost. If it is not called for a while, the next call returns the net changes since.
// After an error, for example because the context ended or the directory was removed, every
// call returns that error.
func (w *Watcher) Next() ([]Change, error) {
	const maxChanges = 10_001
	var batch []Change
	for w.err == nil {
		c, err := w.lines.next()
		switch {
		case err == io.EOF:
			err = &wire.ProtocolError{Reason: "a watch that ended without a reason"}
		case err != nil:
		case len(batch) == maxChanges:
			err = &wire.ProtocolError{Reason: "a batch of changes without an end"}
		case !isBelow(c.Path):
			err = &wire.ProtocolError{Reason: fmt.Sprintf("a change of %q", c.Path)}
		default:
			batch = append(batch, Change{Path: string(c.Path), Kind: ChangeKind(c.Kind), IsDir: c.Dir})
			if c.Last {
				return batch, nil
			}
		}
		if err != nil {
			w.lines.close()
			w.err = w.lines.sb.failure("watch", w.dir, err)
		}
	}
	return nil, w.err
}

// Close ends the watch. A Next that waits returns fs.ErrClosed. Close may be called any number of
// times.
func (w *Watcher) Close() error {
	w.lines.call.Stream.Abort(fs.ErrClosed)
	w.lines.abort(fs.ErrClosed)
	w.lines.close()
	return nil
}
