package dockercli

import "context"

// NetworkOptions are the options of NetworkCreate.
type NetworkOptions struct {
	Labels   map[string]string
	Internal bool // no way out of the host
}

func networkCreateArgs(name string, o *NetworkOptions) []string {
	f := flagsOf("network", "create")
	f.labels(o.Labels)
	f.toggle("--internal", o.Internal)
	return f.operands(name)
}

// NetworkCreate makes a network with the engine's default driver. Do not rely on a name in use
// being refused: before docker 25 two networks may have one name. Error: ErrNameInUse.
func (c *Client) NetworkCreate(ctx context.Context, name string, opts *NetworkOptions) error {
	o := orZero(opts)
	_, err := c.output(ctx, networkCreateArgs(name, &o), "network", name)
	return err
}
