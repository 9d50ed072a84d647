package dockercli

import (
	"context"
	"strconv"
	"time"
)

func stopArgs(container string, grace time.Duration) []string {
	// The short flag, as the long one is --time or --timeout, depending on the version.
	seconds := int64((grace + time.Second - 1) / time.Second)
	return []string{"stop", "-t=" + strconv.FormatInt(max(seconds, 0), 10), "--", container}
}

// Stop asks a container to end and kills it after grace, rounded up to seconds. One that
// does not run is no error; one that does not exist is ErrNoSuchContainer.
func (c *Client) Stop(ctx context.Context, container string, grace time.Duration) error {
	argv := stopArgs(container, grace)
	if err := c.check(argv, "container", container); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
