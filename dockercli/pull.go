package dockercli

import (
	"context"
	"io"
)

// PullOptions are the options of Pull.
type PullOptions struct {
	Platform string    // such as "linux/arm64"; default: the engine's
	Output   io.Writer // gets the progress as it comes; default: none
}

func pullArgs(ref string, o *PullOptions) []string {
	argv := []string{"pull"}
	if o.Platform != "" {
		argv = append(argv, "--platform="+o.Platform)
	}
	return append(argv, "--", ref)
}

// Pull fetches an image from its registry. ErrNoSuchImage also means an image that one may
// not see.
func (c *Client) Pull(ctx context.Context, ref string, opts *PullOptions) error {
	o := orZero(opts)
	argv := pullArgs(ref, &o)
	if err := c.check(argv, "image", ref); err != nil {
		return err
	}
	// The message of a failure is on stderr; podman's progress is there as well.
	r, err := c.do(ctx, call{argv: argv, stdout: o.Output, merge: true, uncounted: true})
	if err == nil && r.ExitCode != 0 {
		r.Stderr = r.Stdout
		err = c.exitError(argv, r)
	}
	return err
}
