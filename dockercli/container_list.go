package dockercli

import (
	"context"
	"strings"
)

// ContainerSummary is an element of ContainerList.
type ContainerSummary struct {
	ID    string // 64 hex digits
	Name  string
	Image string // the reference it was made from; docker gives the id if another image has that name now
	State string // "created", "running", "paused", "exited", ...

	// ImageID has its algorithm, "sha256:..."; only podman tells it.
	ImageID string

	// Labels are exact except for values that hold a comma, which docker does not mark:
	// "a=1,b=2" as the value of x reads as x=a=1 and b=2. ContainerInspect is always exact.
	Labels map[string]string
}

func containerListArgs(labels map[string]string) []string {
	f := flagsOf("ps", "--all", "--no-trunc")
	f.filter(labels)
	f.add("--format={{json .}}")
	return f.argv
}

// ContainerList returns all containers, running or not, that carry all the labels. A label with
// an empty value asks for the key alone.
func (c *Client) ContainerList(ctx context.Context, labels map[string]string) ([]ContainerSummary, error) {
	return query(ctx, c, containerListArgs(labels), parseContainers, "")
}

func parseContainers(text string) ([]ContainerSummary, error) {
	type line struct {
		ID, Image, ImageID, State, Status string
		Names                             nameList
		Labels                            labelSet
	}
	lines, err := decodeAll[line](text)
	if err != nil {
		return nil, err
	}
	var out []ContainerSummary
	for _, l := range lines {
		s := ContainerSummary{ID: l.ID, Image: l.Image, ImageID: digest(l.ImageID), State: strings.ToLower(l.State), Labels: l.Labels}
		for _, n := range l.Names { // a linked container has names such as web/db as well
			if !strings.Contains(n, "/") {
				s.Name = n
			}
		}
		if s.State == "" {
			s.State = stateOf(l.Status)
		}
		out = append(out, s)
	}
	return out, nil
}

// stateOf returns the state that a status of nerdctl means, such as "Up" and "Exited (0) 3 days ago".
func stateOf(status string) string {
	status = strings.ToLower(status)
	word, _, _ := strings.Cut(status, " ")
	switch {
	case strings.Contains(status, "(paused)"):
		return "paused"
	case word == "up":
		return "running"
	}
	return word
}
