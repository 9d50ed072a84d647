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

func networkListArgs(labels map[string]string) []string {
	f := flagsOf("network", "ls", "--no-trunc")
	f.filter(labels)
	f.add("--format={{json .}}")
	return f.argv
}

// NetworkList returns the networks that carry all the labels. A label with an empty value asks
// for the key alone.
func (c *Client) NetworkList(ctx context.Context, labels map[string]string) ([]Network, error) {
	return query(ctx, c, networkListArgs(labels), parseNetworks, "")
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
