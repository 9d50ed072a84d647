package dockercli

import (
	"context"
	"io"
	"strconv"
)

// LogsOptions are the options of Logs.
type LogsOptions struct {
	Tail   int  // only the last lines; 0 is all
	Follow bool // go on until the container ends

	// As in RunOptions.
	Stdout, Stderr io.Writer
}

func logsArgs(container string, o *LogsOptions) []string {
	argv := []string{"logs"}
	if o.Follow {
		argv = append(argv, "--follow")
	}
	if o.Tail > 0 {
		argv = append(argv, "--tail="+strconv.Itoa(o.Tail))
	}
	return append(argv, "--", container)
}

// Logs returns what a container wrote. A container with the log driver "none" has no log.
func (c *Client) Logs(ctx context.Context, container string, opts *LogsOptions) (*Result, error) {
	o := orZero(opts)
	argv := logsArgs(container, &o)
	if err := c.check(argv, "container", container); err != nil {
		return nil, err
	}
	r, err := c.result(ctx, call{argv: argv, stdout: o.Stdout, stderr: o.Stderr, uncounted: true})
	if err == nil && r.ExitCode != 0 {
		err = c.failure(argv, r.ExitCode, string(r.Stderr), nil)
	}
	return r, err
}
