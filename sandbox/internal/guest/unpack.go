//go:build linux

package guest

import (
	"io"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// unpack puts the archive that the host sends at a path. The host has bounded it.
func (c *call) unpack(m *wire.Unpack) (any, error) {
	path := c.s.abs(string(m.Path))
	if strings.Contains(path, "..") {
		// The directories above it are needed by names that can be cut from the path.
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
		// As Pack: what is mounted there is not part of what is put back.
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
