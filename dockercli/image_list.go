package dockercli

import "context"

// ImageSummary is an element of ImageList: a tag of an image, or an image without a tag.
type ImageSummary struct {
	ID  string // with its algorithm: "sha256:..."
	Ref string // name:tag; empty if untagged
}

func imageListArgs(labels map[string]string) []string {
	f := flagsOf("image", "ls", "--no-trunc")
	f.filter(labels)
	f.add("--format={{json .}}")
	return f.argv
}

// ImageList returns the images that carry all the labels, an element for every tag. A label with
// an empty value asks for the key alone.
func (c *Client) ImageList(ctx context.Context, labels map[string]string) ([]ImageSummary, error) {
	return query(ctx, c, imageListArgs(labels), parseImages, "")
}

func parseImages(text string) ([]ImageSummary, error) {
	type line struct {
		ID, Repository, Tag string   // docker
		Names               []string // podman
	}
	lines, err := decodeAll[line](text)
	if err != nil {
		return nil, err
	}
	var out []ImageSummary
	for _, l := range lines {
		if l.Repository != "" && l.Repository != "<none>" && l.Tag != "" && l.Tag != "<none>" {
			l.Names = []string{l.Repository + ":" + l.Tag}
		}
		if len(l.Names) == 0 {
			l.Names = []string{""}
		}
		for _, ref := range l.Names {
			out = append(out, ImageSummary{ID: digest(l.ID), Ref: ref})
		}
	}
	return out, nil
}

// digest returns an id with its algorithm, which podman leaves out.
func digest(id string) string {
	if len(id) == 64 {
		return "sha256:" + id
	}
	return id
}
