package dockercli

import "context"

func commitArgs(container, tag string) []string { return []string{"commit", "--", container, tag} }

// Commit makes an image of what a container has changed of its own, mounts not included. The
// container is paused meanwhile. Error: ErrNoSuchContainer.
func (c *Client) Commit(ctx context.Context, container, tag string) error {
	argv := commitArgs(container, tag)
	if err := c.check(argv, "container", container, tag); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
