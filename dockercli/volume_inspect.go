package dockercli

import "context"

// Volume is a named volume.
type Volume struct {
	Name       string
	Driver     string
	Mountpoint string // on the engine's host
	Labels     map[string]string
}

func volumeInspectArgs(name string) []string {
	return []string{"volume", "inspect", "--format={{json .}}", "--", name}
}

// VolumeInspect returns a volume. Error: ErrNoSuchVolume.
func (c *Client) VolumeInspect(ctx context.Context, name string) (*Volume, error) {
	return query(ctx, c, volumeInspectArgs(name), parseVolume, "volume", name)
}

func parseVolume(text string) (*Volume, error) {
	v, err := decodeOne[struct {
		Name, Driver, Mountpoint string
		Labels                   labelSet
	}](text)
	if err != nil {
		return nil, err
	}
	return &Volume{Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, Labels: v.Labels}, nil
}
