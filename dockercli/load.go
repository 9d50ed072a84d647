package dockercli

import (
	"context"
	"io"
	"strings"
)

func loadArgs() []string { return []string{"load"} }

// Load adds the images of an archive that Save wrote, with this engine or another, and returns
// their names. Images that had those names before lose them.
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

// parseLoaded reads the names of loaded images. There is no machine format for them: docker 20.10
// to 29 and podman 4 and 5 print a line for each name, and no name for an image without one.
func parseLoaded(text string) []string {
	var refs []string
	for line := range strings.Lines(text) {
		if ref, ok := strings.CutPrefix(strings.TrimSpace(line), "Loaded image: "); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}
