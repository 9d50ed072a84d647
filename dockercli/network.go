package dockercli

import (
	"context"
	"strings"
)

// Network is a network of containers.
type Network struct {
	ID     string
	Name   string
	Driver string
	Labels map[string]string // see ContainerSummary.Labels
}

// NetworkOptions are the options of NetworkCreate.
type NetworkOptions struct {
	Labels   map[string]string
	Internal bool // no way out of the host
}

func networkCreateArgs(name string, o *NetworkOptions) []string {
	argv := append([]string{"network", "create"}, labelFlags("--label", o.Labels)...)
	if o.Internal {
		argv = append(argv, "--internal")
	}
	return append(argv, "--", name)
}

// NetworkCreate makes a network with the engine's default driver. It does not rely on the
// name being refused when it is taken: before docker 25 two networks may share one.
// Error: ErrNameInUse.
func (c *Client) NetworkCreate(ctx context.Context, name string, opts *NetworkOptions) error {
	o := orZero(opts)
	argv := networkCreateArgs(name, &o)
	if err := c.check(argv, "network", name); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}

func networkListArgs(labels map[string]string) []string {
	argv := append([]string{"network", "ls", "--no-trunc"}, filterFlags(labels)...)
	return append(argv, "--format={{json .}}")
}

// NetworkList returns the networks that carry all the labels.
func (c *Client) NetworkList(ctx context.Context, labels map[string]string) ([]Network, error) {
	argv := networkListArgs(labels)
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	list, err := parseNetworks(out)
	if err != nil {
		return nil, c.failure(argv, 0, "", err)
	}
	return list, nil
}

func parseNetworks(text string) ([]Network, error) {
	type line struct {
		ID, Name, Driver string
		Labels           labelSet
	}
	lines, err := decodeAll[line](text)
	if err != nil {
		return nil, err
	}
	var out []Network
	for _, l := range lines {
		out = append(out, Network{ID: l.ID, Name: strings.TrimSpace(l.Name), Driver: l.Driver, Labels: l.Labels})
	}
	return out, nil
}

func networkRemoveArgs(name string) []string { return []string{"network", "rm", "--", name} }

// NetworkRemove removes a network. Errors: ErrNoSuchNetwork, ErrInUse.
func (c *Client) NetworkRemove(ctx context.Context, name string) error {
	argv := networkRemoveArgs(name)
	if err := c.check(argv, "network", name); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
