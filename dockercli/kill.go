package dockercli

import "context"

func killArgs(container, signal string) []string {
	return []string{"kill", "--signal=" + signal, "--", container}
}

// Kill sends a signal, by default KILL, to a container's first process. Errors:
// ErrNoSuchContainer, ErrNotRunning.
func (c *Client) Kill(ctx context.Context, container, signal string) error {
	if signal == "" {
		signal = "KILL"
	}
	argv := killArgs(container, signal)
	if err := c.check(argv, "container", container); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
