package sandbox

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

// Network is a private network. Sandboxes whose Options.Network is its name reach each other
// by the names of their containers, and nothing beyond the host. podman 4 resolves no names on
// such a network: use addresses there.
type Network struct {
	name   string
	engine engine.Networks
}

// NetworkOptions say what CreateNetwork makes; nil is all defaults.
type NetworkOptions struct {
	// Name is the network's name. Default: "drydock-" and random letters.
	Name string
	// Engine is the engine of the sandboxes. Default: the docker found in PATH.
	Engine engine.Engine
}

// CreateNetwork makes a network. Close removes it. If this process ends without Close, a later
// Sweep removes it, such as the one that Open does in the background.
func CreateNetwork(ctx context.Context, opts *NetworkOptions) (*Network, error) {
	o := orZero(opts)
	n, err := createNetwork(ctx, cmp.Or(o.Name, randomName()), orDefault(o.Engine))
	return n, failure("create network", o.Name, err)
}

func createNetwork(ctx context.Context, name string, on engine.Engine) (*Network, error) {
	if !simpleName.MatchString(name) {
		return nil, invalid("write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128")
	}
	e, err := engine.Require[engine.Networks](ctx, on)
	if err == nil {
		err = e.CreateNetwork(ctx, name, owned.Labels(engine.KindNetwork))
	}
	if err != nil {
		return nil, err
	}
	return &Network{name: name, engine: e}, nil
}

// Name returns the network's name, for Options.Network.
func (n *Network) Name() string { return n.name }

// Close removes the network. Close the sandboxes on it first: if one still runs after 5 s, Close
// returns an error. It may be called any number of times.
func (n *Network) Close() error {
	// After the end of a container an engine may need a moment to see it.
	const timeout, pause = 5 * time.Second, 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for start := time.Now(); ; time.Sleep(pause) {
		gone, err := n.engine.RemoveNetwork(ctx, n.name)
		if err == nil && !gone && time.Since(start) > timeout {
			err = errors.New("a sandbox still uses it: close that first")
		}
		if err != nil {
			return &Error{Op: "close network", Name: n.name, Err: err}
		}
		if gone {
			return nil
		}
	}
}
