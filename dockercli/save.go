package dockercli

import (
	"context"
	"io"
	"strings"
)

func saveArgs(refs []string, engine Engine) []string {
	argv := []string{"save"}
	if engine == Podman {
		// Else it takes all but the first for further names of the first.
		argv = append(argv, "--multi-image-archive")
	}
	return append(append(argv, "--"), refs...)
}

// Save writes images, with the names they are given by, to w as an archive for Load. Error:
// ErrNoSuchImage.
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

func loadArgs() []string { return []string{"load"} }

// Load takes the images of an archive that Save wrote, here or with another engine, and
// returns their names. Those of the same names that the engine had lose them.
func (c *Client) Load(ctx context.Context, r io.Reader) ([]string, error) {
	argv := loadArgs()
	result, err := c.do(ctx, call{argv: argv, stdin: r, uncounted: true})
	if err != nil {
		return nil, err
	}
	if result.ExitCode != 0 {
		return nil, c.exitError(argv, result)
	}
	return parseLoaded(string(result.Stdout)), nil
}

// parseLoaded reads what has no machine format: docker 20.10 to 29 and podman 4 and 5 print
// a line for each name, and no name for an image that has none.
func parseLoaded(text string) []string {
	var refs []string
	for line := range strings.Lines(text) {
		if ref, ok := strings.CutPrefix(strings.TrimSpace(line), "Loaded image: "); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}
