package tools

import (
	"context"
	"path"

	"github.com/drydock-go/drydock/sandbox"
)

// filter leaves out the files that the rules hide, by their real paths.
type filter struct {
	c        *call
	workDir  string
	contents bool              // the search shows contents, and not only names
	none     bool              // nothing is hidden, whatever its path is
	real     map[string]string // real paths by path; "" if there is none
}

func (c *call) newFilter(workDir string, contents bool) *filter {
	f := &filter{c: c, workDir: workDir, contents: contents, real: map[string]string{}}
	read, same := c.policy.uniform(OpRead)
	own, sameOwn := c.policy.uniform(c.tool.op)
	f.none = same && sameOwn && own != Deny && (read == Allow || read == Ask && (!contents || c.approved))
	return f
}

// searchLimit returns how many matches to search for, so that enough are left to show limit
// of them.
func (f *filter) searchLimit(limit int) int {
	if f.none {
		return limit
	}
	return max(limit, sandbox.DefaultMatches)
}

// hides reports whether to leave out a file that was found. Its directory can lead through
// symlinks, and it can be one itself; nothing else makes its real path another.
func (f *filter) hides(ctx context.Context, name string, symlink bool) (bool, error) {
	if f.none {
		return false, nil
	}
	resolved, base := path.Dir(name), path.Base(name)
	if symlink {
		resolved, base = name, ""
	}
	real, ok := f.real[resolved]
	if !ok {
		var err error
		if real, err = f.c.sb.RealPath(ctx, resolved); err != nil {
			// It was removed or replaced meanwhile, or is a symlink to itself. A file that
			// cannot be judged is not shown.
			if err := f.c.failure(ctx, resolved, err); !isStopped(err) {
				return false, err
			}
			real = ""
		}
		f.real[resolved] = real
	}
	return real == "" || f.c.hidden(f.workDir, path.Join(real, base), f.contents), nil
}

// hidden reports whether to leave out a file that grep or glob found at a real path: if the
// rules deny the search or the reading of it, or if they ask about reading it, its contents
// are to be shown, and nobody has approved of this call or of reading this file always.
func (c *call) hidden(workDir, real string, contents bool) bool {
	if c.policy.path(c.tool.op, workDir, real) == Deny {
		return true
	}
	read := c.policy.path(OpRead, workDir, real)
	if read == Ask && contents && !c.approved {
		return !c.granted(grant{op: OpRead, subject: real})
	}
	return read == Deny
}

// readable reports whether lines of a file that a call changes may be shown.
func (c *call) readable(ctx context.Context, real string) bool {
	workDir, err := c.realWorkDir(ctx)
	return err == nil && !c.hidden(workDir, real, true)
}
