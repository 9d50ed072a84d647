package dockercli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// RunOptions are the options of Run and Start. The zero value of a field leaves the engine's
// default. Sizes are in bytes.
type RunOptions struct {
	Name   string
	Labels map[string]string
	Pull   PullPolicy // default: PullMissing

	Entrypoint string
	User       string // name or uid, with :group
	WorkDir    string
	Hostname   string
	StopSignal string

	// Env are the variables of the container. Their values do not appear in argv, except for
	// variables that the CLI itself would obey, such as PATH and HTTP_PROXY.
	Env map[string]string

	Remove      bool // remove the container and its anonymous volumes when it ends
	Detach      bool // for Run: print the container's id and leave it running
	Interactive bool // keep stdin open; implied by Start and by Stdin

	// DetachKeys is the key sequence that detaches the CLI; nil is the engine's default. podman
	// looks for its bytes even without a terminal: point to "" for no sequence.
	DetachKeys *string

	Network       string // "none", "bridge" or the name of a network
	Mounts        []Mount
	Tmpfs         map[string]string // mount options such as "size=64m,exec", by path
	ReadOnly      bool              // the root file system
	CapDrop       []string
	CapAdd        []string
	SecurityOpt   []string
	UserNS        string // such as "keep-id" (podman)
	IPC           string // "private", "none"
	CgroupNS      string // "private", "host"
	Memory        int64
	MemorySwap    int64             // memory and swap together; -1 is unlimited
	CPUs          float64           // at most as many as the engine has
	PidsLimit     int64             // -1 is unlimited
	Ulimits       map[string]Ulimit // by name, such as "core"
	Restart       string            // "no", "always", ...
	Runtime       string            // OCI runtime, such as "runsc"
	LogDriver     string            // "none" keeps no log
	NoHealthcheck bool              // ignore the image's HEALTHCHECK
	NoInit        bool              // no init before the program, even if the engine is set to add one
	NoPasswd      bool              // podman: leave the image's passwd and group files as they are

	// Stdin, Stdout and Stderr are for Run alone. Output that is streamed is not in the
	// Result. If Stdout and Stderr are the same, they get the merged output.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

func runArgs(image string, args []string, o *RunOptions) (argv, environ []string) {
	f := flagsOf("run")
	f.text("--name", o.Name)
	f.labels(o.Labels)
	f.text("--pull", string(o.Pull))

	f.text("--entrypoint", o.Entrypoint)
	f.text("--user", o.User)
	f.text("--workdir", o.WorkDir)
	f.text("--hostname", o.Hostname)
	f.text("--stop-signal", o.StopSignal)
	f.variables("--env", o.Env)

	f.toggle("--rm", o.Remove)
	f.toggle("--detach", o.Detach)
	f.toggle("--interactive", o.Interactive || o.Stdin != nil)
	if o.DetachKeys != nil {
		f.add("--detach-keys=" + *o.DetachKeys)
	}

	f.text("--network", o.Network)
	for _, m := range o.Mounts {
		f.add("--mount=" + m.flag())
	}
	for _, path := range slices.Sorted(maps.Keys(o.Tmpfs)) {
		if opts := o.Tmpfs[path]; opts != "" {
			path += ":" + opts
		}
		f.add("--tmpfs=" + path)
	}
	f.toggle("--read-only", o.ReadOnly)
	f.list("--cap-drop", o.CapDrop)
	f.list("--cap-add", o.CapAdd)
	f.list("--security-opt", o.SecurityOpt)
	f.text("--userns", o.UserNS)
	f.text("--ipc", o.IPC)
	f.text("--cgroupns", o.CgroupNS)
	f.number("--memory", o.Memory)
	f.number("--memory-swap", o.MemorySwap)
	if o.CPUs != 0 {
		f.add("--cpus=" + strconv.FormatFloat(o.CPUs, 'f', -1, 64))
	}
	f.number("--pids-limit", o.PidsLimit)
	for _, name := range slices.Sorted(maps.Keys(o.Ulimits)) {
		f.add("--ulimit=" + name + "=" + o.Ulimits[name].String())
	}
	f.text("--restart", o.Restart)
	f.text("--runtime", o.Runtime)
	f.text("--log-driver", o.LogDriver)
	f.toggle("--no-healthcheck", o.NoHealthcheck)
	f.toggle("--init=false", o.NoInit)
	f.toggle("--passwd=false", o.NoPasswd)

	return f.operands(append([]string{image}, args...)...), f.environ
}

// prepareRun builds the command line, and refuses values that must not reach one.
func (c *Client) prepareRun(image string, args []string, o *RunOptions) (argv, environ []string, err error) {
	argv, environ = runArgs(image, args, o)
	if err := c.check(argv, "image", image); err != nil {
		return nil, nil, err
	}
	if o.Name != "" {
		if err := c.check(argv, "container", o.Name); err != nil {
			return nil, nil, err
		}
	}
	if err := c.checkEnv(argv, o.Env); err != nil {
		return nil, nil, err
	}
	for _, m := range o.Mounts {
		if err := m.check(); err != nil {
			return nil, nil, c.refuse(argv, err)
		}
	}
	for path := range o.Tmpfs {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, ":\x00\r\n") {
			return nil, nil, c.refuse(argv, fmt.Errorf("%w: tmpfs path %q; give an absolute path without ':'", ErrInvalidName, path))
		}
	}
	return argv, environ, nil
}

// Run runs a container and waits for its end, or with Detach for its start. The exit code in the
// Result is the container's or, if Result.EngineError says so, the engine's. The error is an
// *Error for a CLI that could not be run, for a refused name, and if ctx ends: the CLI is ended
// then, but the container may go on, so name it and call ContainerRemove.
func (c *Client) Run(ctx context.Context, image string, args []string, opts *RunOptions) (*Result, error) {
	o := orZero(opts)
	argv, environ, err := c.prepareRun(image, args, &o)
	if err != nil {
		return nil, err
	}
	return c.result(ctx, call{
		argv: argv, environ: environ, stdin: o.Stdin, stdout: o.Stdout, stderr: o.Stderr, uncounted: true,
	})
}

// Start runs a container whose standard streams are those of the Process, with Interactive set.
// It returns when the CLI has started, which is before the container exists; ctx has no effect
// after that. A CLI that fails ends the Process: see Process.Wait.
func (c *Client) Start(ctx context.Context, image string, args []string, opts *RunOptions) (*Process, error) {
	o := orZero(opts)
	o.Interactive = true
	argv, environ, err := c.prepareRun(image, args, &o)
	if err != nil {
		return nil, err
	}
	return c.start(ctx, argv, environ)
}
