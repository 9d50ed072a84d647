//go:build linux

package guest

import (
	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// maxReported bounds each list in the reply to a Pack.
const maxReported = 100

// pack sends a tree or a file as an archive.
func (c *call) pack(m *wire.Pack) (any, error) {
	packed := &wire.Packed{}
	exclude, err := compileFilter(m.Exclude)
	if err != nil {
		return nil, err
	}
	o := &archive.Options{Exclude: exclude, Step: c.step, Inside: m.Inside}
	if m.Skip {
		o.Refused = func(err *wire.Error) error {
			if packed.SkippedCount++; packed.SkippedCount <= maxReported {
				packed.Skipped = append(packed.Skipped, err)
			}
			return nil
		}
	}
	o.Changed = func(name string) {
		if len(packed.Changed) < maxReported {
			packed.Changed = append(packed.Changed, []byte(name))
		}
	}
	path := c.s.abs(string(m.Path))
	if m.Inside {
		// A mount in the tree is not part of it.
		if o.Except, err = mountsBelow(path); err != nil {
			return nil, err
		}
	}
	w := wire.NewFrameWriter(c.stream)
	defer w.Free()
	p := archive.NewPacker(w, o)
	err = p.Path(path)
	if err == nil {
		err = p.Close()
	}
	if err == nil {
		err = w.Flush()
	}
	return packed, err
}

// step ends the work on an archive after the host gave the call up.
func (c *call) step(string, archive.Total) error {
	if c.aborted() {
		return errAborted
	}
	return nil
}
