package sandbox

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// WalkOptions say how far Walk goes.
type WalkOptions struct {
	// MaxDepth is how many levels below the top: 1 is what is in it. Default: all.
	MaxDepth int
}

// Walk goes through a tree, a directory before what it holds, each sorted by name, beginning
// with the top itself, whose Path is root. Symlinks are described, not followed, but for root.
//
// A directory that cannot be read comes a second time, with the error, and the walk goes on.
// What ends it, such as a root that does not exist, is an error of a Match without a Path.
func (sb *Sandbox) Walk(ctx context.Context, root string, opts *WalkOptions) iter.Seq2[Match, error] {
	m := &wire.Walk{Path: []byte(root), Depth: max(orZero(opts).MaxDepth, 0)}
	return func(yield func(Match, error) bool) {
		l, err := startLines[wire.WalkEntry](ctx, sb, wire.OpWalk, m)
		if err != nil {
			yield(Match{}, sb.failure("walk", root, err))
			return
		}
		defer l.close()
		for {
			e, err := l.next()
			if err == io.EOF {
				return
			}
			if err == nil && !isBelow(e.Name) {
				err = &wire.ProtocolError{Reason: fmt.Sprintf("a file %q below the top", e.Name)}
			}
			if err != nil {
				yield(Match{}, sb.failure("walk", root, err))
				return
			}
			found := matchBelow(root, &e.FileInfo)
			if e.Error != nil {
				err = sb.failure("walk", found.Path, e.Error)
			}
			if !yield(found, err) {
				return
			}
		}
	}
}

// isBelow reports whether a path is one below a directory, or empty for that itself. Whoever
// copies a tree may make files of these names on the host.
func isBelow(name []byte) bool {
	p := string(name)
	return p == "" || p == path.Clean(p) && p != "." && p != ".." && !strings.HasPrefix(p, "../") && p[0] != '/' && !strings.Contains(p, "\x00")
}

// matchBelow is a file whose name is a path below root.
func matchBelow(root string, f *wire.FileInfo) Match {
	m := Match{Path: root}
	if below := string(f.Name); below != "" {
		m.Path = strings.TrimSuffix(root, "/") + "/" + below
		if root == "" {
			m.Path = below
		}
	}
	f.Name = []byte(path.Base(m.Path))
	m.FileInfo = FileInfo{*f}
	return m
}

// Usage is what a tree takes.
type Usage struct {
	// Bytes are the lengths of the regular files together, Disk what the blocks of all take.
	Bytes, Disk int64
	// Files are the regular ones, Dirs the directories with the top, Others the rest.
	Files, Dirs, Others int64
	// Errors counts directories that could not be read, and are not in the sums.
	Errors int64
}

// Usage adds up what a file or a tree takes. A file with several names counts once, and
// symlinks are not followed.
func (sb *Sandbox) Usage(ctx context.Context, name string) (Usage, error) {
	var u wire.Usage
	if err := sb.do(ctx, wire.OpUsage, &wire.Path{Path: []byte(name)}, &u); err != nil {
		return Usage{}, sb.failure("usage", name, err)
	}
	return Usage(u), nil
}
