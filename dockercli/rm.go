package dockercli

import (
	"context"
	"strings"
)

func removeArgs(containers []string) []string {
	// Without --volumes a container's anonymous volumes stay behind.
	return append([]string{"rm", "--force", "--volumes", "--"}, containers...)
}

// Remove kills and removes containers with their anonymous volumes. One that does not
// exist, or that is being removed already, is no error; nor are none at all.
func (c *Client) Remove(ctx context.Context, containers ...string) error {
	if len(containers) == 0 {
		return nil
	}
	argv := removeArgs(containers)
	if err := c.check(argv, "container", containers...); err != nil {
		return err
	}
	r, err := c.do(ctx, call{argv: argv})
	if err != nil {
		return err
	}
	if r.ExitCode != 0 && !onlyGone(argv, string(r.Stderr)) {
		return c.exitError(argv, r)
	}
	return nil
}

// onlyGone reports whether every line of a message says that a thing is gone or going.
func onlyGone(argv []string, text string) bool {
	text = strings.TrimSpace(text)
	if text == "" {
		return false
	}
	for line := range strings.Lines(text) {
		_, err := classify(argv, line)
		if err != ErrNoSuchContainer && !strings.Contains(line, "is already in progress") {
			return false
		}
	}
	return true
}
