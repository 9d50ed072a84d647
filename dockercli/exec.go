package dockercli

import (
	"context"
	"fmt"
	"io"
)

// ExecOptions are the options of Exec and StartExec; the zero value of a field leaves the
// container's own setting.
type ExecOptions struct {
	User        string // name or uid, with :group
	WorkDir     string
	Env         map[string]string // as RunOptions.Env
	Interactive bool              // keep stdin open; set by StartExec and by Stdin
	TTY         bool              // allocate a terminal in the container
	DetachKeys  *string           // as RunOptions.DetachKeys

	// For Exec only, as in RunOptions.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

func execArgs(container string, command []string, o *ExecOptions) (argv, environ []string) {
	argv = []string{"exec"}
	if o.User != "" {
		argv = append(argv, "--user="+o.User)
	}
	if o.WorkDir != "" {
		argv = append(argv, "--workdir="+o.WorkDir)
	}
	envArgs, environ := envFlags("--env", o.Env)
	argv = append(argv, envArgs...)
	if o.Interactive || o.Stdin != nil {
		argv = append(argv, "--interactive")
	}
	if o.TTY {
		argv = append(argv, "--tty")
	}
	if o.DetachKeys != nil {
		argv = append(argv, "--detach-keys="+*o.DetachKeys)
	}
	return append(append(argv, "--", container), command...), environ
}

func (c *Client) prepareExec(container string, command []string, o *ExecOptions) (argv, environ []string, err error) {
	argv, environ = execArgs(container, command, o)
	if err := c.check(argv, "container", container); err != nil {
		return nil, nil, err
	}
	if len(command) == 0 || command[0] == "" {
		return nil, nil, c.refuse(argv, fmt.Errorf("%w: the command is empty", ErrInvalidName))
	}
	return argv, environ, c.checkEnv(argv, o.Env)
}

// Exec runs a command in a running container and waits for it; for the exit code see Run.
// When ctx ends the CLI is ended, but the command in the container goes on: engines have
// no call to kill it (https://github.com/moby/moby/issues/9098).
func (c *Client) Exec(ctx context.Context, container string, command []string, opts *ExecOptions) (*Result, error) {
	o := orZero(opts)
	argv, environ, err := c.prepareExec(container, command, &o)
	if err != nil {
		return nil, err
	}
	return c.result(ctx, call{
		argv: argv, env: environ, stdin: o.Stdin, stdout: o.Stdout, stderr: o.Stderr, uncounted: true,
	})
}

// StartExec runs a command in a running container whose standard streams are the
// Process's, with Interactive set; otherwise as Start.
func (c *Client) StartExec(ctx context.Context, container string, command []string, opts *ExecOptions) (*Process, error) {
	o := orZero(opts)
	o.Interactive = true
	argv, environ, err := c.prepareExec(container, command, &o)
	if err != nil {
		return nil, err
	}
	return c.start(ctx, argv, environ)
}
