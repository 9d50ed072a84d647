package dockercli

import (
	"encoding/csv"
	"fmt"
	"strings"
)

// MountType is the kind of a Mount.
type MountType string

// The kinds of mounts. A tmpfs is RunOptions.Tmpfs.
const (
	MountBind   MountType = "bind"
	MountVolume MountType = "volume"
)

// Mount puts a host directory or a volume into a container.
type Mount struct {
	Type     MountType // default: MountBind
	Source   string    // a path on the engine's host, which must exist; or a volume's name
	Target   string    // absolute path in the container
	ReadOnly bool
}

// flag encodes the mount as the one CSV record that --mount takes: a field with a comma or
// a quote is quoted as a whole.
func (m Mount) flag() string {
	kind := m.Type
	if kind == "" {
		kind = MountBind
	}
	fields := []string{"type=" + string(kind), "source=" + m.Source, "destination=" + m.Target}
	if m.ReadOnly {
		fields = append(fields, "readonly")
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // a strings.Builder does not fail
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

func (m Mount) check() error {
	switch {
	case m.Source == "" || strings.ContainsAny(m.Source+m.Target, "\x00\r\n"):
		return fmt.Errorf("%w: mount source %q", ErrInvalidName, m.Source)
	case !strings.HasPrefix(m.Target, "/"):
		return fmt.Errorf("%w: mount target %q is not absolute", ErrInvalidName, m.Target)
	}
	return nil
}
