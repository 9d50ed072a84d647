package dockercli

import "context"

// Ping asks the engine whether it lives, each time anew: Info keeps its first answer. The errors
// are those of Info.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.probe(ctx)
	return err
}
