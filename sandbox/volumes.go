package sandbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/identity"
)

// volumes are the named volumes that a configuration mounts for writing.
type volumes struct {
	owner   *identity.Owner // the owner of the first volume that Drydock made, or nil
	missing []string        // the names of the volumes that do not exist yet
}

// findVolumes asks the engine for the volumes that are mounted for writing. A label of the
// volume names its owner, because only the engine sees the volume's files.
func (c *config) findVolumes(ctx context.Context) (volumes, error) {
	var v volumes
	for _, m := range c.Mounts {
		if !m.IsVolume() || m.ReadOnly {
			continue
		}
		e, err := engine.Require[engine.Volumes](ctx, c.Engine)
		if err != nil {
			return v, err
		}
		labels, err := e.VolumeLabels(ctx, m.Source)
		if errors.Is(err, engine.ErrNoVolume) {
			v.missing = append(v.missing, m.Source)
			continue
		}
		if err != nil {
			return v, err
		}
		var o identity.Owner
		if n, _ := fmt.Sscanf(labels[engine.LabelUser], "%d:%d", &o.UID, &o.GID); n == 2 && v.owner == nil {
			v.owner = &o
		}
	}
	return v, nil
}

// create makes the missing volumes for the user who will write to them. If only the image
// knows that user's uid, it makes none: then the engine makes them when it mounts them.
func (v volumes) create(ctx context.Context, e engine.Engine, image string, id identity.Identity) error {
	if len(v.missing) == 0 || id.UID < 0 {
		return nil
	}
	maker, err := engine.Require[engine.Volumes](ctx, e)
	if err != nil {
		return err
	}
	labels := map[string]string{
		engine.LabelFormat: engine.Format, engine.LabelKind: engine.KindVolume,
		engine.LabelUser: fmt.Sprintf("%d:%d", id.UID, id.GID),
	}
	for _, name := range v.missing {
		if err := maker.CreateVolume(ctx, name, labels, image, id.UID, id.GID); err != nil {
			return err
		}
	}
	return nil
}
