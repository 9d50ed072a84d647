package dockercli

import (
	"context"
	"strings"
)

// ContainerSummary is a line of List.
type ContainerSummary struct {
	ID    string // 64 hex digits
	Name  string
	Image string // what it was made from; of docker the id where that names another image now
	State string // "created", "running", "paused", "exited", ...

	// ImageID has its algorithm, "sha256:..."; podman alone tells it.
	ImageID string

	// Labels are exact but for values that hold a comma, which docker does not mark:
	// "a=1,b=2" as the value of x reads as x=a=1 and b=2. Inspect is always exact.
	Labels map[string]string
}

func listArgs(labels map[string]string) []string {
	argv := append([]string{"ps", "--all", "--no-trunc"}, filterFlags(labels)...)
	return append(argv, "--format={{json .}}")
}

// List returns all containers, running or not, that carry all the labels; a label with an
// empty value asks for the key alone.
func (c *Client) List(ctx context.Context, labels map[string]string) ([]ContainerSummary, error) {
	argv := listArgs(labels)
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	list, err := parseContainers(out)
	if err != nil {
		return nil, c.failure(argv, 0, "", err)
	}
	return list, nil
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
		for _, n := range l.Names { // a linked container has names such as web/db too
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

// stateOf reads the state from nerdctl's status, such as "Up" and "Exited (0) 3 days ago".
func stateOf(status string) string {
	word, _, _ := strings.Cut(strings.ToLower(status), " ")
	switch {
	case strings.Contains(strings.ToLower(status), "(paused)"):
		return "paused"
	case word == "up":
		return "running"
	}
	return word
}
