package tools

import (
	"context"
	"fmt"
	"path"
)

// filter leaves out what the rules hide, by the real path of each file found.
type filter struct {
	c        *call
	work     string
	contents bool
	none     bool // nothing is hidden, whatever its path is
	real     map[string]string
}

func (c *call) newFilter(work string, contents bool) *filter {
	f := &filter{c: c, work: work, contents: contents, real: map[string]string{}}
	read, same := c.policy.uniform(OpRead)
	own, sameOwn := c.policy.uniform(c.tool.op)
	f.none = same && sameOwn && own != Deny && (read == Allow || read == Ask && (!contents || c.asked))
	return f
}

// hides reports whether a file is to be left out. Only directories on the way to it, and
// it itself where it is a symlink, can make its real path another.
func (f *filter) hides(ctx context.Context, name string, symlink bool) (bool, error) {
	if f.none {
		return false, nil
	}
	known, base := path.Dir(name), path.Base(name)
	if symlink {
		known, base = name, ""
	}
	real, ok := f.real[known]
	if !ok {
		var err error
		if real, err = f.c.sb.RealPath(ctx, known); err != nil {
			// Removed or replaced meanwhile, or a symlink to itself: what cannot be judged
			// is not shown.
			if err := f.c.failure(ctx, known, err); !isStopped(err) {
				return false, err
			}
			real = ""
		}
		f.real[known] = real
	}
	if real == "" {
		return true, nil
	}
	return f.c.hidden(f.work, path.Join(real, base), f.contents), nil
}

// hidden reports whether what grep and glob find at a real path is to be left out: what
// read denies, and, where contents are shown, what it would ask about, unless somebody
// has allowed this very call.
func (c *call) hidden(work, real string, contents bool) bool {
	action := c.policy.path(OpRead, work, real)
	if own := c.policy.path(c.tool.op, work, real); own == Deny {
		return true
	}
	if action == Ask && contents && !c.asked {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.grants[grant{op: OpRead, what: real}]
	}
	return action == Deny
}

// readable reports whether lines of a file that is changed may be shown.
func (c *call) readable(ctx context.Context, real string) bool {
	work, err := c.workDir(ctx)
	return err == nil && !c.hidden(work, real, true)
}

func unreadable(p *pages, n int) {
	if n > 0 {
		fmt.Fprintf(p, "[%s could not be read]\n", plural(n, "file or directory", "files or directories"))
	}
}
