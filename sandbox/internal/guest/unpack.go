//go:build linux

package guest

import (
	"io"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// unpack puts the archive that the host sends at a path. Bounds are for the host to check.
func (c *call) unpack(m *wire.Unpack) (any, error) {
	path := c.s.abs(string(m.Path))
	if strings.Contains(path, "..") {
		// Its parents have to be directories that can be cut from the path.
		real, err := resolve(path, 0)
		if err != nil {
			return nil, err
		}
		path = real
	}
	from := io.Reader(c.stream)
	if len(m.From) > 0 {
		f, _, err := openRegular(c.s.abs(string(m.From)))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	o := &archive.Options{Exact: true, Inside: m.Inside, Step: c.step}
	if m.Inside {
		// As in pack, a mount is not part of the tree.
		var err error
		if o.Except, err = mountsBelow(path); err != nil {
			return nil, err
		}
	}
	u, err := archive.Unpack(from, path, o)
	if err != nil {
		return nil, err
	}
	if c.aborted() {
		u.Discard()
		return nil, errAborted
	}
	return nil, u.Commit()
}
