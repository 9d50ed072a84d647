package dockercli

import "context"

func commitArgs(container, tag string) []string { return []string{"commit", "--", container, tag} }

// Commit makes an image of the root file system of a container, without what is mounted in it. The
// container is paused meanwhile. Error: ErrNoSuchContainer.
func (c *Client) Commit(ctx context.Context, container, tag string) error {
	argv := commitArgs(container, tag)
	if err := c.check(argv, "image", tag); err != nil {
		return err
	}
	_, err := c.output(ctx, argv, "container", container)
	return err
}
