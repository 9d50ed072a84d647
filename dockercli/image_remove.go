package dockercli

import "context"

func imageRemoveArgs(ref string) []string { return []string{"rmi", "--", ref} }

// ImageRemove removes an image, or one of its tags. Errors: ErrNoSuchImage, ErrInUse.
func (c *Client) ImageRemove(ctx context.Context, ref string) error {
	_, err := c.output(ctx, imageRemoveArgs(ref), "image", ref)
	return err
}
