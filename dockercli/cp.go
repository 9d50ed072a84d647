package dockercli

import (
	"context"
	"fmt"
	"io"
	"strings"
)

func copyToArgs(container, dir string) []string {
	return []string{"cp", "--", "-", container + ":" + dir}
}

func copyFromArgs(container, path string) []string {
	return []string{"cp", "--", container + ":" + path, "-"}
}

// CopyTo unpacks a tar stream into an existing directory of a container, running or not.
// Modes are the archive's; so are owners with docker, while podman gives all to the
// container's user. It cannot reach tmpfs mounts, and a read-only
// container refuses it. docker reports a container that does not exist as a destination
// that is no directory.
func (c *Client) CopyTo(ctx context.Context, container, dir string, archive io.Reader) error {
	return c.copy(ctx, copyToArgs(container, dir), container, dir, archive, nil)
}

// CopyFrom writes a file or a tree of a container to archive as a tar stream, which is
// hostile input: whoever unpacks it must check names, types and sizes.
func (c *Client) CopyFrom(ctx context.Context, container, path string, archive io.Writer) error {
	return c.copy(ctx, copyFromArgs(container, path), container, path, nil, archive)
}

func (c *Client) copy(ctx context.Context, argv []string, container, path string, in io.Reader, out io.Writer) error {
	if err := c.check(argv, "container", container); err != nil {
		return err
	}
	if strings.Contains(container, ":") || !strings.HasPrefix(path, "/") {
		return c.refuse(argv, fmt.Errorf("%w: %q is not a container and an absolute path",
			ErrInvalidName, container+":"+path))
	}
	r, err := c.do(ctx, call{argv: argv, stdin: in, stdout: out, uncounted: true})
	if err == nil && r.ExitCode != 0 {
		err = c.exitError(argv, r)
	}
	return err
}
