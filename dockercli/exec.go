package dockercli

import (
	"context"
	"fmt"
)

// ExecOptions are the options of StartExec.
type ExecOptions struct {
	User       string  // name or uid, with :group; default: the container's
	DetachKeys *string // as RunOptions.DetachKeys
}

func execArgs(container string, command []string, o *ExecOptions) []string {
	f := flagsOf("exec", "--interactive")
	f.text("--user", o.User)
	if o.DetachKeys != nil {
		f.add("--detach-keys=" + *o.DetachKeys)
	}
	return f.operands(append([]string{container}, command...)...)
}

// StartExec runs a command in a running container. The command's standard streams are those of
// the Process, and ctx has no effect after the start. To end the CLI does not end the command:
// engines have no call for that (https://github.com/moby/moby/issues/9098), so run a command that
// ends with its standard input.
func (c *Client) StartExec(ctx context.Context, container string, command []string, opts *ExecOptions) (*Process, error) {
	o := orZero(opts)
	argv := execArgs(container, command, &o)
	if err := c.check(argv, "container", container); err != nil {
		return nil, err
	}
	if len(command) == 0 || command[0] == "" {
		return nil, c.refuse(argv, fmt.Errorf("%w: the command is empty", ErrInvalidName))
	}
	return c.start(ctx, argv, nil)
}
