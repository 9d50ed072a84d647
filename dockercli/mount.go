package dockercli

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// MountType is the kind of a Mount.
type MountType string

// The kinds of mounts.
const (
	MountBind   MountType = "bind"
	MountVolume MountType = "volume"
	MountTmpfs  MountType = "tmpfs" // has no Source; RunOptions.Tmpfs knows more options
)

// Mount puts a host directory or a volume into a container.
type Mount struct {
	Type     MountType // default: MountBind
	Source   string    // a path on the engine's host, which must exist; or a volume's name
	Target   string    // absolute path in the container
	ReadOnly bool

	// Of a tmpfs.
	Size int64       // bytes; 0 is no limit
	Mode fs.FileMode // permission bits; 0 is the engine's default
	// Podman gives it to the container's user, and begins it empty as docker does.
	Own, Empty bool
}

// flag encodes the mount as the one CSV record that --mount takes: a field with a comma or
// a quote is quoted as a whole.
func (m Mount) flag() string {
	kind := m.Type
	if kind == "" {
		kind = MountBind
	}
	fields := []string{"type=" + string(kind)}
	if m.Source != "" {
		fields = append(fields, "source="+m.Source)
	}
	fields = append(fields, "destination="+m.Target)
	if m.ReadOnly {
		fields = append(fields, "ro") // podman knows "readonly" of binds alone
	}
	if m.Size != 0 {
		fields = append(fields, "tmpfs-size="+strconv.FormatInt(m.Size, 10))
	}
	if m.Mode != 0 {
		fields = append(fields, "tmpfs-mode="+strconv.FormatUint(uint64(m.Mode.Perm()), 8))
	}
	if m.Own {
		fields = append(fields, "U=true")
	}
	if m.Empty {
		fields = append(fields, "notmpcopyup")
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // a strings.Builder does not fail
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

func (m Mount) check() error {
	switch {
	case (m.Source == "") != (m.Type == MountTmpfs) || strings.ContainsAny(m.Source+m.Target, "\x00\r\n"):
		return fmt.Errorf("%w: mount source %q", ErrInvalidName, m.Source)
	case !strings.HasPrefix(m.Target, "/"):
		return fmt.Errorf("%w: mount target %q is not absolute", ErrInvalidName, m.Target)
	}
	return nil
}
