package dockercli

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// MountType is the type of a Mount.
type MountType string

// The types of mounts.
const (
	MountBind   MountType = "bind"
	MountVolume MountType = "volume"
	MountTmpfs  MountType = "tmpfs" // has no Source; RunOptions.Tmpfs takes more options
)

// Mount is a host directory, a volume or a tmpfs that is mounted into a container.
type Mount struct {
	Type     MountType // default: MountBind
	Source   string    // an existing path on the engine's host, or the name of a volume
	Target   string    // absolute path in the container
	ReadOnly bool

	// Size, Mode, Own and Empty are for a tmpfs alone.
	Size int64       // bytes; 0 is no limit
	Mode fs.FileMode // permission bits; 0 is the engine's default
	// Own and Empty are for podman alone: the tmpfs belongs to the container's user, and does
	// not begin with a copy of the image's files there.
	Own, Empty bool
}

// flag encodes the mount as the one CSV record that --mount takes: a field with a comma or
// a quote is quoted as a whole.
func (m Mount) flag() string {
	fields := []string{"type=" + string(cmp.Or(m.Type, MountBind))}
	if m.Source != "" {
		fields = append(fields, "source="+m.Source)
	}
	fields = append(fields, "destination="+m.Target)
	if m.ReadOnly {
		fields = append(fields, "ro") // podman takes "readonly" for binds alone
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
	_ = w.Write(fields) // to a strings.Builder, which does not fail
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// check refuses a mount that does not fit one record.
func (m Mount) check() error {
	switch {
	case m.Source == "" && m.Type != MountTmpfs:
		return fmt.Errorf("%w: the mount at %q has no source", ErrInvalidName, m.Target)
	case m.Source != "" && m.Type == MountTmpfs:
		return fmt.Errorf("%w: the tmpfs at %q has a source, %q", ErrInvalidName, m.Target, m.Source)
	case strings.ContainsAny(m.Source+m.Target, "\x00\r\n"):
		return fmt.Errorf("%w: the mount of %q at %q has a line break or a zero byte", ErrInvalidName, m.Source, m.Target)
	case !strings.HasPrefix(m.Target, "/"):
		return fmt.Errorf("%w: mount target %q is not absolute", ErrInvalidName, m.Target)
	}
	return nil
}
