package dockercli

import "context"

func pauseArgs(container string) []string { return []string{"pause", "--", container} }

// Pause freezes the processes of a container. Errors: ErrNoSuchContainer, ErrNotRunning.
func (c *Client) Pause(ctx context.Context, container string) error {
	_, err := c.output(ctx, pauseArgs(container), "container", container)
	return err
}
