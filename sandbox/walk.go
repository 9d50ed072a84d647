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

// WalkOptions say how far Walk goes; nil is all defaults.
type WalkOptions struct {
	// MaxDepth is the maximum number of levels below root: 1 is the entries of root itself.
	// Default: all levels.
	MaxDepth int
}

// Walk goes through a tree. It begins with root itself, whose Path is root. A directory comes
// before its entries, which are sorted by name. Walk does not follow symlinks, except for root.
//
// A directory that cannot be read comes a second time, with the error, and the walk goes on. An
// error that ends the walk, such as a root that does not exist, comes with a Match without a
// Path.
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

// isBelow reports whether name is a clean path below a directory, or empty, which is the
// directory itself. Callers may copy a tree to the host, so no name may lead out of it.
func isBelow(name []byte) bool {
	p := string(name)
	return p == "" || p == path.Clean(p) && p != "." && p != ".." && !strings.HasPrefix(p, "../") && p[0] != '/' && !strings.Contains(p, "\x00")
}

// matchBelow returns the Match of a file whose name is a path below root.
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

// Usage is the disk usage of a tree.
type Usage struct {
	// Bytes is the total length of the regular files. Disk is the size of the blocks of all
	// files, in bytes.
	Bytes, Disk int64
	// Files is the number of regular files, Dirs that of directories with the top, and Others
	// that of all other files.
	Files, Dirs, Others int64
	// Errors is the number of directories that could not be read. The other numbers do not
	// include their contents.
	Errors int64
}

// Usage returns the disk usage of a file or a tree. A file with several names counts once, and
// symlinks are not followed.
func (sb *Sandbox) Usage(ctx context.Context, name string) (Usage, error) {
	var u wire.Usage
	if err := sb.do(ctx, wire.OpUsage, &wire.Path{Path: []byte(name)}, &u); err != nil {
		return Usage{}, sb.failure("usage", name, err)
	}
	return Usage(u), nil
}
