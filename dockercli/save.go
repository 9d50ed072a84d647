package dockercli

import (
	"context"
	"io"
)

func saveArgs(refs []string) []string { return append([]string{"save", "--"}, refs...) }

// Save writes images, with the names they are given by, to w as an archive for Load. Error:
// ErrNoSuchImage.
func (c *Client) Save(ctx context.Context, w io.Writer, refs ...string) error {
	argv := saveArgs(refs)
	if err := c.check(argv, "image", refs...); err != nil {
		return err
	}
	r, err := c.do(ctx, call{argv: argv, stdout: w, uncounted: true})
	if err == nil && r.ExitCode != 0 {
		err = c.exitError(argv, r)
	}
	return err
}

func loadArgs() []string { return []string{"load"} }

// Load takes the images of an archive that Save wrote.
func (c *Client) Load(ctx context.Context, r io.Reader) error {
	argv := loadArgs()
	result, err := c.do(ctx, call{argv: argv, stdin: r, uncounted: true})
	if err == nil && result.ExitCode != 0 {
		err = c.exitError(argv, result)
	}
	return err
}
