package dockercli

import (
	"context"
	"maps"
	"slices"
)

// Volume is a named volume.
type Volume struct {
	Name       string
	Driver     string
	Mountpoint string            // on the engine's host
	Labels     map[string]string // of VolumeList: see ContainerSummary.Labels
}

// VolumeOptions are the options of VolumeCreate.
type VolumeOptions struct {
	Labels map[string]string
}

func volumeCreateArgs(name string, o *VolumeOptions) []string {
	argv := append([]string{"volume", "create"}, labelFlags("--label", o.Labels)...)
	return append(argv, "--", name)
}

// VolumeCreate makes a volume with the engine's default driver. docker takes a name that
// exists for success and leaves that volume as it is; podman reports ErrNameInUse.
func (c *Client) VolumeCreate(ctx context.Context, name string, opts *VolumeOptions) error {
	o := orZero(opts)
	argv := volumeCreateArgs(name, &o)
	if err := c.check(argv, "volume", name); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}

func volumeListArgs(labels map[string]string) []string {
	argv := append([]string{"volume", "ls"}, filterFlags(labels)...)
	return append(argv, "--format={{json .}}")
}

// VolumeList returns the volumes that carry all the labels.
func (c *Client) VolumeList(ctx context.Context, labels map[string]string) ([]Volume, error) {
	argv := volumeListArgs(labels)
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	list, err := parseVolumes(out)
	if err != nil {
		return nil, c.failure(argv, 0, "", err)
	}
	return list, nil
}

func volumeInspectArgs(name string) []string {
	return []string{"volume", "inspect", "--format={{json .}}", "--", name}
}

// VolumeInspect returns a volume, or ErrNoSuchVolume.
func (c *Client) VolumeInspect(ctx context.Context, name string) (*Volume, error) {
	argv := volumeInspectArgs(name)
	if err := c.check(argv, "volume", name); err != nil {
		return nil, err
	}
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	list, err := parseVolumes(out)
	if err != nil || len(list) != 1 {
		return nil, c.failure(argv, 0, out, ErrOutput)
	}
	return &list[0], nil
}

func parseVolumes(text string) ([]Volume, error) {
	type line struct {
		Name, Driver, Mountpoint string
		Labels                   labelSet
	}
	lines, err := decodeAll[line](text)
	if err != nil {
		return nil, err
	}
	var out []Volume
	for _, l := range lines {
		out = append(out, Volume{Name: l.Name, Driver: l.Driver, Mountpoint: l.Mountpoint, Labels: l.Labels})
	}
	return out, nil
}

func volumeRemoveArgs(name string) []string { return []string{"volume", "rm", "--", name} }

// VolumeRemove removes a volume and what is in it. Errors: ErrNoSuchVolume, ErrInUse.
func (c *Client) VolumeRemove(ctx context.Context, name string) error {
	argv := volumeRemoveArgs(name)
	if err := c.check(argv, "volume", name); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
