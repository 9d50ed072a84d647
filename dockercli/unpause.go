package dockercli

import "context"

func unpauseArgs(container string) []string { return []string{"unpause", "--", container} }

// Unpause lets the processes of a paused container go on. Error: ErrNoSuchContainer.
func (c *Client) Unpause(ctx context.Context, container string) error {
	_, err := c.output(ctx, unpauseArgs(container), "container", container)
	return err
}
