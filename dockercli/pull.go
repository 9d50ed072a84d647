package dockercli

import (
	"context"
	"io"
)

// PullPolicy says when Run fetches its image from the registry.
type PullPolicy string

// The policies. The zero value is the engine's default, PullMissing.
const (
	PullMissing PullPolicy = "missing"
	PullAlways  PullPolicy = "always"
	PullNever   PullPolicy = "never"
)

// PullOptions are the options of Pull.
type PullOptions struct {
	Output io.Writer // gets the progress as it comes; default: none
}

func pullArgs(ref string) []string { return []string{"pull", "--", ref} }

// Pull fetches an image from its registry. ErrNoSuchImage also stands for an image that the
// caller is not allowed to see, since registries do not tell the two apart.
func (c *Client) Pull(ctx context.Context, ref string, opts *PullOptions) error {
	o := orZero(opts)
	argv := pullArgs(ref)
	if err := c.check(argv, "image", ref); err != nil {
		return err
	}
	// Merged, since podman's progress is on stderr; the reason of a failure is there as well.
	r, err := c.do(ctx, call{argv: argv, stdout: o.Output, merge: true, uncounted: true})
	if err == nil && r.ExitCode != 0 {
		r.Stderr = r.Stdout
		err = c.exitError(argv, r)
	}
	return err
}
