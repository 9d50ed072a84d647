package dockercli

import (
	"context"
	"errors"
	"strings"
	"time"
)

func removeArgs(containers []string) []string {
	// Without --volumes a container's anonymous volumes stay behind.
	return append([]string{"rm", "--force", "--volumes", "--"}, containers...)
}

// Remove kills and removes containers with their anonymous volumes, and returns when they
// are gone. One that does not exist is no error; nor are none at all.
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
	if r.ExitCode == 0 {
		return nil
	}
	text := string(r.Stderr)
	if !onlyGone(argv, text) {
		return c.exitError(argv, r)
	}
	if strings.Contains(text, beingRemoved) {
		return c.gone(ctx, containers)
	}
	return nil
}

// beingRemoved is what the engine says of a container that --rm is just removing.
const beingRemoved = "is already in progress"

// gone waits until the engine has finished what another began. There is no call that
// waits for a removal of which one does not know whether it is over.
func (c *Client) gone(ctx context.Context, containers []string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, name := range containers {
		for {
			_, err := c.Inspect(ctx, name)
			if errors.Is(err, ErrNoSuchContainer) {
				break
			}
			if err != nil {
				return err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
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
		if err != ErrNoSuchContainer && !strings.Contains(line, beingRemoved) {
			return false
		}
	}
	return true
}
