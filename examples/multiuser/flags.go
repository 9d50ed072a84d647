package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/session"
)

const usage = `usage: multiuser [FLAG...]

Serves a page on which every named user runs code in a sandbox of their own.

  --addr HOST:PORT   where to listen (default 127.0.0.1:8080); port 0 is any free port
  --public           allow an --addr that other machines reach. There is no authentication:
                     whoever reaches it can run code here, as any user, and read their files
  --host NAME        a host name of the service, besides localhost and its IP addresses;
                     may be repeated

  --runtime NAME     the runtime of the sandboxes (default python-minimal)
  --image IMAGE      an image for them, instead of a runtime
  --engine ENGINE    docker, podman, or the path of such a command line (default docker)
  --workspaces DIR   where the users' files are kept, in a directory for each user (default
                     drydock/multiuser in the user's cache directory); if empty, files end
                     with the sandbox
  --max N            the maximum of users at a time (default 20)
  --idle D           end a sandbox that was not used for this long (default 10m)
  --timeout D        end a command after this time (default 30s)
`

// Limits of a sandbox. Twenty sandboxes fit on a small machine if few of them are busy.
const (
	memory = 512 << 20 // bytes
	pids   = 256
)

// config holds the values of the flags.
type config struct {
	addr     string
	hosts    []string // further host names of the service, in lower case
	timeout  time.Duration
	sessions session.Options
}

// parse reads the arguments. If they ask for help the error is flag.ErrHelp.
func parse(args []string) (*config, error) {
	c := &config{}
	o := &c.sessions
	f := flag.NewFlagSet("multiuser", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.addr, "addr", "127.0.0.1:8080", "")
	public := f.Bool("public", false, "")
	f.Func("host", "", func(name string) error {
		if name == "" || strings.ContainsAny(name, ":/ ") {
			return errors.New("write a host name without scheme and port, such as code.example.org")
		}
		c.hosts = append(c.hosts, strings.ToLower(name))
		return nil
	})
	f.StringVar(&o.Sandbox.Runtime, "runtime", "", "")
	f.StringVar(&o.Sandbox.Image, "image", "", "")
	cli := f.String("engine", "docker", "")
	f.StringVar(&o.WorkspaceRoot, "workspaces", defaultWorkspaces(), "")
	f.IntVar(&o.Max, "max", 20, "")
	f.DurationVar(&o.IdleTimeout, "idle", 10*time.Minute, "")
	f.DurationVar(&c.timeout, "timeout", 30*time.Second, "")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.Sandbox.Runtime != "" && o.Sandbox.Image != "":
		return nil, errors.New("both --runtime and --image; write one of them")
	case *cli == "":
		return nil, errors.New("--engine is empty; write docker, podman or a path")
	case o.Max <= 0:
		return nil, errors.New("--max: write how many users, such as 20")
	case o.IdleTimeout <= 0:
		return nil, errors.New("--idle: write how long, such as 10m")
	case c.timeout <= 0:
		return nil, errors.New("--timeout: write how long, such as 30s")
	}
	if err := c.resolve(*public); err != nil {
		return nil, err
	}
	o.Sandbox.Engine = engine.Docker(&dockercli.Client{Path: *cli})
	o.Sandbox.Memory, o.Sandbox.PIDs = memory, pids
	o.SweepInterval = min(o.IdleTimeout, time.Minute)
	return c, nil
}

// resolve turns addr into an IP address and a port. It refuses an address that is not of the
// loopback interface, unless public is set.
func (c *config) resolve(public bool) error {
	addr, err := net.ResolveTCPAddr("tcp", c.addr)
	if err != nil {
		return fmt.Errorf("--addr: %w; write a host and a port, such as 127.0.0.1:8080", err)
	}
	if !public && !addr.IP.IsLoopback() {
		return fmt.Errorf("--addr %s can be reached from other machines, and there is no authentication: "+
			"whoever reaches it can run code here, as any user, and read their files; "+
			"listen on 127.0.0.1, or add --public if you want that", c.addr)
	}
	c.addr = addr.String()
	return nil
}

// defaultWorkspaces returns a directory that outlives the program, or "" if the user has no
// home.
func defaultWorkspaces() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "drydock", "multiuser")
}
