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

// ChangeKind is what became of a file.
type ChangeKind string

// The kinds of changes.
const (
	FileCreated  ChangeKind = "created"
	FileModified ChangeKind = "modified" // contents, mode, owner or times; or another took its place
	FileRemoved  ChangeKind = "removed"
	// ChangesLost: more happened than could be kept, or seen, and is in no other change. Look at
	// the tree anew.
	ChangesLost ChangeKind = "overflow"
)

// Change is what happened to one file since the last batch, all in all.
type Change struct {
	// Path is the file's below the directory that is watched; empty with ChangesLost.
	Path  string
	Kind  ChangeKind
	IsDir bool
}

// WatchOptions say what Watch reports; nil is all defaults.
type WatchOptions struct {
	// Exclude are globs of files and directories to leave out with all below, such as
	// "node_modules": one without a "/" is a name at any depth, else a path below the
	// directory. Default: none.
	Exclude []string
	// Delay is how long changes are gathered, so that one save is one change. Default: 50 ms.
	Delay time.Duration
}

// Watcher reports changes of a tree. One goroutine may use it at a time; Close may be called
// by another.
type Watcher struct {
	dir   string
	lines *lineCall[wire.Change]
	err   error
}

// Watch begins to watch a directory and all below it, but nothing that symlinks lead to, and
// returns when it does: what is changed later is reported. Directories that come later are
// watched as well. A file that was renamed is one that was removed and one that was created;
// a directory that was moved away is one change.
//
// Each directory takes one of the kernel's inotify watches, of which a user has a limited
// number; too many are an error with the Code no_space. A watch keeps no session busy. It
// ends with ctx, or by Close.
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
	if _, err := l.next(); err != nil { // the line that says that it has begun
		if err == io.EOF {
			err = &wire.ProtocolError{Reason: "a watch that ended before it began"}
		}
		l.close()
		return nil, sb.failure("watch", dir, err)
	}
	l.call.Quiet(true)
	return w, nil
}

// Next waits for changes and returns those of one batch, sorted by path and at most 10,000
// and one. Who does not call it for a while gets what happened meanwhile, all in all. After an
// error, such as the end of the context, or of the directory, there is nothing more.
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

// Close ends the watch, and a Next that waits with fs.ErrClosed. It may be called any number of times.
func (w *Watcher) Close() error {
	w.lines.call.Stream.Abort(fs.ErrClosed)
	w.lines.abort(fs.ErrClosed)
	w.lines.close()
	return nil
}
