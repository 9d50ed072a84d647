package dockercli

import (
	"context"
	"io"
)

func saveArgs(refs []string, engine Engine) []string {
	f := flagsOf("save")
	// Without it podman takes all refs but the first for further names of the first.
	f.toggle("--multi-image-archive", engine == Podman)
	return f.operands(refs...)
}

// Save writes images, under the names given, to w as an archive for Load. Error: ErrNoSuchImage.
func (c *Client) Save(ctx context.Context, w io.Writer, refs ...string) error {
	if err := c.check(saveArgs(refs, ""), "image", refs...); err != nil {
		return err
	}
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	argv := saveArgs(refs, info.Engine)
	r, err := c.do(ctx, call{argv: argv, stdout: w, uncounted: true})
	if err == nil && r.ExitCode != 0 {
		err = c.exitError(argv, r)
	}
	return err
}
