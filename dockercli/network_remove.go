package dockercli

import "context"

func networkRemoveArgs(name string) []string { return []string{"network", "rm", "--", name} }

// NetworkRemove removes a network. Errors: ErrNoSuchNetwork, ErrInUse.
func (c *Client) NetworkRemove(ctx context.Context, name string) error {
	_, err := c.output(ctx, networkRemoveArgs(name), "network", name)
	return err
}
