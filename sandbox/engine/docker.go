package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/drydock-go/drydock/dockercli"
)

// CLI is the Engine behind a docker, podman or nerdctl command line. It has all parts of an
// engine.
type CLI struct{ c *dockercli.Client }

// Docker returns the engine behind a command line. The zero Client, like nil, is the docker in
// PATH.
func Docker(c *dockercli.Client) *CLI {
	if c == nil {
		c = &dockercli.Client{}
	}
	return &CLI{c: c}
}

// Default returns the engine behind the docker in PATH. It is one for the whole process, so
// that it is probed once.
func Default() *CLI { return defaultCLI() }

var defaultCLI = sync.OnceValue(func() *CLI { return Docker(&dockercli.Client{}) })

// Info implements Engine. An engine that does not run Linux containers is an error.
func (e *CLI) Info(ctx context.Context) (Info, error) {
	info, err := e.c.Info(ctx)
	if err != nil {
		return Info{}, translate("", err)
	}
	if info.OS != "linux" {
		return Info{}, fmt.Errorf("the engine runs %s containers; sandboxes need linux", info.OS)
	}
	return Info{
		Name: string(info.Engine), Version: info.ServerVersion, Arch: info.Arch,
		CPUs: info.CPUs, Rootless: info.Rootless,
		CacheMounts: info.Builder == dockercli.BuildKit || info.Builder == dockercli.PodmanBuild,
	}, nil
}

// Start implements Engine.
func (e *CLI) Start(ctx context.Context, c *Container) (Conn, error) {
	info, err := e.c.Info(ctx)
	if err != nil {
		return nil, translate("", err)
	}
	return conn(e.c.Start(ctx, c.Image, c.Args, runOptions(c, info.Engine)))
}

// StartDetached implements Engine.
func (e *CLI) StartDetached(ctx context.Context, c *Container) error {
	info, err := e.c.Info(ctx)
	if err != nil {
		return translate("", err)
	}
	o := runOptions(c, info.Engine)
	o.Detach = true
	r, err := e.c.Run(ctx, c.Image, c.Args, o)
	if err == nil && r.ExitCode != 0 {
		// Nothing of the container's own can be in the output of a detached run.
		err = r.EngineError()
	}
	return translate("", err)
}

// Connect implements Engine.
func (e *CLI) Connect(ctx context.Context, name string) (Conn, error) {
	return e.exec(ctx, name, "", ConnectPath, "connect")
}

// ConnectUser implements UserConnector.
func (e *CLI) ConnectUser(ctx context.Context, name, user string) (Conn, error) {
	return e.exec(ctx, name, user, GuestPath, "user")
}

func (e *CLI) exec(ctx context.Context, name, user string, args ...string) (Conn, error) {
	info, err := e.c.Info(ctx)
	if err != nil {
		return nil, translate("", err)
	}
	o := &dockercli.ExecOptions{User: user}
	if info.Engine == dockercli.Podman {
		o.DetachKeys = new(string) // as for run
	}
	return conn(e.c.StartExec(ctx, name, args, o))
}

// List implements Engine.
func (e *CLI) List(ctx context.Context, label, value string) ([]Object, error) {
	labels := map[string]string{label: value}
	if label == "" {
		labels = nil
	}
	all, err := e.c.ContainerList(ctx, labels)
	if err != nil {
		return nil, translate("", err)
	}
	out := make([]Object, len(all))
	for i, c := range all {
		out[i] = Object{ID: c.ID, Name: c.Name, Image: c.Image, ImageID: c.ImageID, State: c.State, Labels: c.Labels}
	}
	return out, nil
}

// Remove implements Engine.
func (e *CLI) Remove(ctx context.Context, name string) error {
	err := e.c.ContainerRemove(ctx, name)
	if errors.Is(err, dockercli.ErrNoSuchContainer) {
		return nil
	}
	return translate("", err)
}

// cliConn is a process of the command line.
type cliConn struct{ p *dockercli.Process }

func conn(p *dockercli.Process, err error) (Conn, error) {
	if err != nil {
		return nil, translate("", err)
	}
	return &cliConn{p}, nil
}

func (c *cliConn) Stdin() io.WriteCloser { return c.p.Stdin }
func (c *cliConn) Stdout() *os.File      { return c.p.Stdout }
func (c *cliConn) Done() <-chan struct{} { return c.p.Done() }
func (c *cliConn) Close()                { _ = c.p.Close() }
func (c *cliConn) Wait() error           { return translate("", c.p.Wait(context.Background())) }
