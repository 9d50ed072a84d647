package dockercli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PullPolicy says when to fetch an image from its registry.
type PullPolicy string

// The policies; the zero value leaves the choice to the engine, which is PullMissing.
const (
	PullMissing PullPolicy = "missing"
	PullAlways  PullPolicy = "always"
	PullNever   PullPolicy = "never"
)

// Ulimit is a resource limit of the container's processes; -1 is unlimited.
type Ulimit struct{ Soft, Hard int64 }

// RunOptions are the options of Run and Start; the zero value of a field leaves the
// engine's default. Sizes are bytes.
type RunOptions struct {
	Name     string
	Labels   map[string]string
	Platform string     // such as "linux/arm64"
	Pull     PullPolicy // default: PullMissing

	Entrypoint string
	User       string // name or uid, with :group
	WorkDir    string
	Hostname   string
	StopSignal string

	// Env are the container's variables. Their values do not appear in argv, except for
	// variables that the CLI itself would obey, such as PATH and HTTP_PROXY.
	Env map[string]string

	Remove      bool // remove the container and its anonymous volumes when it ends
	Detach      bool // with Run: print the container's id and leave it running
	Interactive bool // keep stdin open; set by Start and by Stdin
	TTY         bool // allocate a terminal in the container

	// DetachKeys is the key sequence that detaches; nil is the engine's default. podman
	// looks for its bytes even without a terminal: point to "" to have none.
	DetachKeys *string

	Network       string // "none", "bridge" or the name of a network
	Mounts        []Mount
	Tmpfs         map[string]string // path to mount options such as "size=64m,exec"
	ReadOnly      bool              // the root file system
	CapDrop       []string
	CapAdd        []string
	SecurityOpt   []string
	UserNS        string // such as "keep-id" (podman)
	IPC           string // "private", "none"
	CgroupNS      string // "private", "host"
	Memory        int64
	MemorySwap    int64   // memory and swap together; -1 is unlimited
	CPUs          float64 // must not exceed the engine's count
	PidsLimit     int64   // -1 is unlimited
	ShmSize       int64
	Ulimits       map[string]Ulimit // by name, such as "core"
	Restart       string            // "no", "always", ...
	Runtime       string            // OCI runtime, such as "runsc"
	LogDriver     string            // "none" keeps no log
	NoHealthcheck bool              // ignore the image's HEALTHCHECK
	NoInit        bool              // no init before the program, even where the engine is set to add one
	NoPasswd      bool              // podman: leave the image's passwd and group as they are

	// For Run only. Streamed output is not in the Result. If Stdout and Stderr are the
	// same they get the merged output.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

func runArgs(image string, args []string, o *RunOptions) (argv, environ []string) {
	argv = []string{"run"}
	text := func(flag, value string) {
		if value != "" {
			argv = append(argv, flag+"="+value)
		}
	}
	number := func(flag string, n int64) {
		if n != 0 {
			argv = append(argv, flag+"="+strconv.FormatInt(n, 10))
		}
	}
	toggle := func(flag string, on bool) {
		if on {
			argv = append(argv, flag)
		}
	}
	list := func(flag string, values []string) {
		for _, v := range values {
			argv = append(argv, flag+"="+v)
		}
	}
	text("--name", o.Name)
	argv = append(argv, labelFlags("--label", o.Labels)...)
	text("--platform", o.Platform)
	text("--pull", string(o.Pull))

	text("--entrypoint", o.Entrypoint)
	text("--user", o.User)
	text("--workdir", o.WorkDir)
	text("--hostname", o.Hostname)
	text("--stop-signal", o.StopSignal)
	envArgs, environ := envFlags("--env", o.Env)
	argv = append(argv, envArgs...)

	toggle("--rm", o.Remove)
	toggle("--detach", o.Detach)
	toggle("--interactive", o.Interactive || o.Stdin != nil)
	toggle("--tty", o.TTY)
	if o.DetachKeys != nil {
		argv = append(argv, "--detach-keys="+*o.DetachKeys)
	}

	text("--network", o.Network)
	for _, m := range o.Mounts {
		argv = append(argv, "--mount="+m.flag())
	}
	for _, path := range slices.Sorted(maps.Keys(o.Tmpfs)) {
		if opts := o.Tmpfs[path]; opts != "" {
			path += ":" + opts
		}
		argv = append(argv, "--tmpfs="+path)
	}
	toggle("--read-only", o.ReadOnly)
	list("--cap-drop", o.CapDrop)
	list("--cap-add", o.CapAdd)
	list("--security-opt", o.SecurityOpt)
	text("--userns", o.UserNS)
	text("--ipc", o.IPC)
	text("--cgroupns", o.CgroupNS)
	number("--memory", o.Memory)
	number("--memory-swap", o.MemorySwap)
	if o.CPUs != 0 {
		argv = append(argv, "--cpus="+strconv.FormatFloat(o.CPUs, 'f', -1, 64))
	}
	number("--pids-limit", o.PidsLimit)
	number("--shm-size", o.ShmSize)
	for _, name := range slices.Sorted(maps.Keys(o.Ulimits)) {
		u := o.Ulimits[name]
		argv = append(argv, fmt.Sprintf("--ulimit=%s=%d:%d", name, u.Soft, u.Hard))
	}
	text("--restart", o.Restart)
	text("--runtime", o.Runtime)
	text("--log-driver", o.LogDriver)
	toggle("--no-healthcheck", o.NoHealthcheck)
	toggle("--init=false", o.NoInit)
	toggle("--passwd=false", o.NoPasswd)

	return append(append(argv, "--", image), args...), environ
}

// prepareRun builds the argv and refuses what must not reach a command line.
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
			return nil, nil, c.refuse(argv, fmt.Errorf("%w: tmpfs path %q", ErrInvalidName, path))
		}
	}
	return argv, environ, nil
}

// Run runs a container and waits for it (with Detach: for its start). The exit code in the
// Result is the container's or, if Result.EngineError says so, the engine's. The error is
// an *Error for a CLI that could not be run, for a refused name, and when ctx ends: the
// CLI is then ended, but the container may go on, so name it and Remove it.
func (c *Client) Run(ctx context.Context, image string, args []string, opts *RunOptions) (*Result, error) {
	o := orZero(opts)
	argv, environ, err := c.prepareRun(image, args, &o)
	if err != nil {
		return nil, err
	}
	return c.result(ctx, call{
		argv: argv, env: environ, stdin: o.Stdin, stdout: o.Stdout, stderr: o.Stderr, uncounted: true,
	})
}

// Start runs a container whose standard streams are the Process's, with Interactive set.
// It returns when the CLI has started, which is before the container exists; ctx does not
// reach beyond that. A CLI that fails ends the Process: see Process.Wait.
func (c *Client) Start(ctx context.Context, image string, args []string, opts *RunOptions) (*Process, error) {
	o := orZero(opts)
	o.Interactive = true
	argv, environ, err := c.prepareRun(image, args, &o)
	if err != nil {
		return nil, err
	}
	return c.start(ctx, argv, environ)
}

// Result is what Run, Exec and Logs captured.
type Result struct {
	// Stdout and Stderr are what was written, at most 4 MiB each: the first and the last
	// 2 MiB. Streamed output leaves only the 32 KiB kept for messages.
	Stdout, Stderr []byte

	// StdoutDropped and StderrDropped count the bytes left out in the middle.
	StdoutDropped, StderrDropped int64

	ExitCode int // -1: a signal ended the CLI
	Duration time.Duration

	c    *Client
	argv []string
}

// result runs k and keeps what it left, also beside an error.
func (c *Client) result(ctx context.Context, k call) (*Result, error) {
	k.merge = k.stdout != nil && reflect.ValueOf(k.stdout).Comparable() && k.stdout == k.stderr
	r, err := c.do(ctx, k)
	return &Result{
		Stdout: r.Stdout, Stderr: r.Stderr,
		StdoutDropped: r.StdoutDropped, StderrDropped: r.StderrDropped,
		ExitCode: r.ExitCode, Duration: r.Duration, c: c, argv: k.argv,
	}, err
}

// EngineError returns an *Error if the exit seems to be the engine's or the CLI's own, and
// nil if it seems to be the command's. Exit codes 125, 126, 127 and 255 mean either, so it
// reads the output, where a program in the container can forge the engine's words: before
// anything depends on the answer, confirm it with Inspect.
func (r *Result) EngineError() error {
	if r.ExitCode == 0 {
		return nil
	}
	message := engineMessage(string(r.Stderr))
	if message == "" && (r.ExitCode == 126 || r.ExitCode == 127) {
		// docker exec reports a command that cannot be started on standard output.
		message = engineMessage(string(r.Stdout))
	}
	if message == "" {
		return nil
	}
	return r.c.failure(r.argv, r.ExitCode, message, nil)
}

// orZero returns a copy of *opts, or the zero value.
func orZero[T any](opts *T) T {
	if opts == nil {
		return *new(T)
	}
	return *opts
}
