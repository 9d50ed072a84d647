package dockercli

import "context"

// VolumeOptions are the options of VolumeCreate.
type VolumeOptions struct {
	Labels map[string]string
}

func volumeCreateArgs(name string, o *VolumeOptions) []string {
	f := flagsOf("volume", "create")
	f.labels(o.Labels)
	return f.operands(name)
}

// VolumeCreate makes a volume with the engine's default driver. If the name exists, docker leaves
// that volume as it is and succeeds; podman reports ErrNameInUse.
func (c *Client) VolumeCreate(ctx context.Context, name string, opts *VolumeOptions) error {
	o := orZero(opts)
	_, err := c.output(ctx, volumeCreateArgs(name, &o), "volume", name)
	return err
}
