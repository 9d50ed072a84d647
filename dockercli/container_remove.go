package dockercli

import (
	"context"
	"errors"
	"strings"
	"time"
)

func containerRemoveArgs(containers []string) []string {
	// Without --volumes a container's anonymous volumes stay behind.
	return flagsOf("rm", "--force", "--volumes").operands(containers...)
}

// ContainerRemove kills and removes containers with their anonymous volumes, and returns when they
// are gone. A container that does not exist is no error, and neither is an empty list.
func (c *Client) ContainerRemove(ctx context.Context, containers ...string) error {
	if len(containers) == 0 {
		return nil
	}
	argv := containerRemoveArgs(containers)
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
		return c.waitRemoved(ctx, containers)
	}
	return nil
}

// beingRemoved is what the engine says about a container that --rm is removing.
const beingRemoved = "is already in progress"

// waitRemoved waits until containers that something else removes are gone. The CLI has no command
// for that, so it looks again and again.
func (c *Client) waitRemoved(ctx context.Context, containers []string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, name := range containers {
		for {
			_, err := c.ContainerInspect(ctx, name)
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

// onlyGone reports whether every line of a message says that a container is gone or going.
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
