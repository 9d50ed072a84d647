package dockercli

import "context"

func volumeRemoveArgs(name string) []string { return []string{"volume", "rm", "--", name} }

// VolumeRemove removes a volume and the files in it. Errors: ErrNoSuchVolume, ErrInUse.
func (c *Client) VolumeRemove(ctx context.Context, name string) error {
	_, err := c.output(ctx, volumeRemoveArgs(name), "volume", name)
	return err
}
