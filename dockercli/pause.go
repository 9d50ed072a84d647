package dockercli

import "context"

func pauseArgs(container string) []string { return []string{"pause", "--", container} }

// Pause freezes all processes of a container. Errors: ErrNoSuchContainer, ErrNotRunning.
// Rootless podman needs cgroup v2 for it.
func (c *Client) Pause(ctx context.Context, container string) error {
	argv := pauseArgs(container)
	if err := c.check(argv, "container", container); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}

func unpauseArgs(container string) []string { return []string{"unpause", "--", container} }

// Unpause lets the processes of a paused container go on. Error: ErrNoSuchContainer.
func (c *Client) Unpause(ctx context.Context, container string) error {
	argv := unpauseArgs(container)
	if err := c.check(argv, "container", container); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
