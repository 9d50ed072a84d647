package dockercli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Image is a line of Images: one for every tag, or one without for an untagged image.
type Image struct {
	ID  string // with its algorithm: "sha256:..."
	Ref string // name:tag; empty if untagged
}

func imagesArgs(labels map[string]string) []string {
	argv := append([]string{"image", "ls", "--no-trunc"}, filterFlags(labels)...)
	return append(argv, "--format={{json .}}")
}

// Images returns the images that carry all the labels; a label with an empty value asks
// for the key alone.
func (c *Client) Images(ctx context.Context, labels map[string]string) ([]Image, error) {
	argv := imagesArgs(labels)
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	list, err := parseImages(out)
	if err != nil {
		return nil, c.failure(argv, 0, "", err)
	}
	return list, nil
}

func parseImages(text string) ([]Image, error) {
	type line struct {
		ID, Repository, Tag string   // docker
		Names               []string // podman
	}
	lines, err := decodeAll[line](text)
	if err != nil {
		return nil, err
	}
	var out []Image
	for _, l := range lines {
		if l.Repository != "" && l.Repository != "<none>" && l.Tag != "" && l.Tag != "<none>" {
			l.Names = []string{l.Repository + ":" + l.Tag}
		}
		if len(l.Names) == 0 {
			l.Names = []string{""}
		}
		for _, ref := range l.Names {
			out = append(out, Image{ID: digest(l.ID), Ref: ref})
		}
	}
	return out, nil
}

// digest adds the algorithm, which podman leaves away.
func digest(id string) string {
	if len(id) == 64 {
		return "sha256:" + id
	}
	return id
}

// ImageDetails is what ImageInspect tells.
type ImageDetails struct {
	ID         string   // with its algorithm: "sha256:..."
	Tags       []string // name:tag
	Digests    []string // name@sha256:..., known for images from a registry
	Created    time.Time
	Size       int64 // bytes
	OS         string
	Arch       string // as GOARCH
	Labels     map[string]string
	Env        []string // KEY=VALUE
	Entrypoint []string
	Cmd        []string
	User       string
	WorkDir    string
	Volumes    []string // paths for which each container gets an anonymous volume
	Ports      []string // that it exposes, such as "80/tcp"
	Health     Healthcheck
}

// Healthcheck is an image's HEALTHCHECK; the zero value is none.
type Healthcheck struct {
	// Test is "CMD" and the arguments of a program, "CMD-SHELL" and a line of shell, or
	// "NONE".
	Test    []string
	Timeout time.Duration // 0 is the engine's default, 30 s
}

func imageInspectArgs(refs ...string) []string {
	return append([]string{"image", "inspect", "--format={{json .}}", "--"}, refs...)
}

// ImageInspect returns an image that the engine holds, or ErrNoSuchImage.
func (c *Client) ImageInspect(ctx context.Context, ref string) (*ImageDetails, error) {
	argv := imageInspectArgs(ref)
	if err := c.check(argv, "image", ref); err != nil {
		return nil, err
	}
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	v, err := parseImage(out)
	if err != nil {
		return nil, c.failure(argv, 0, "", err)
	}
	return v, nil
}

// inspectedAtOnce is how many images one call asks about: a command line of Windows has at
// most 32 KiB.
const inspectedAtOnce = 100

// ImageInspectAll returns those of many images that the engine holds.
func (c *Client) ImageInspectAll(ctx context.Context, refs []string) ([]ImageDetails, error) {
	var all []ImageDetails
	for some := range slices.Chunk(refs, inspectedAtOnce) {
		argv := imageInspectArgs(some...)
		if err := c.check(argv, "image", some...); err != nil {
			return nil, err
		}
		r, err := c.do(ctx, call{argv: argv})
		if err != nil {
			return nil, err
		}
		if r.ExitCode != 0 {
			// It has printed those that are there.
			if err := c.exitError(argv, r); !errors.Is(err, ErrNoSuchImage) {
				return nil, err
			}
		}
		if r.StdoutDropped > 0 {
			return nil, c.failure(argv, 0, "", fmt.Errorf("%w: %d bytes over the cap", ErrOutput, r.StdoutDropped))
		}
		list, err := decodeAll[imageJSON](string(r.Stdout))
		if err != nil {
			return nil, c.failure(argv, 0, "", err)
		}
		for _, j := range list {
			all = append(all, *j.details())
		}
	}
	return all, nil
}

func parseImage(text string) (*ImageDetails, error) {
	j, err := decodeOne[imageJSON](text)
	if err != nil {
		return nil, err
	}
	return j.details(), nil
}

type imageJSON struct {
	ID           string
	RepoTags     []string
	RepoDigests  []string
	Created      string
	Size         int64
	OS           string
	Architecture string
	Config       struct {
		Labels     labelSet
		Env        []string
		Entrypoint []string
		Cmd        []string
		User       string
		WorkingDir string
		Volumes    map[string]struct{}

		ExposedPorts map[string]struct{}
		Healthcheck  Healthcheck
	}
	Healthcheck Healthcheck // podman
}

func (j *imageJSON) details() *ImageDetails {
	health := j.Config.Healthcheck
	if len(health.Test) == 0 {
		health = j.Healthcheck
	}
	created, _ := time.Parse(time.RFC3339Nano, j.Created) // empty for some images
	return &ImageDetails{
		ID: digest(j.ID), Tags: j.RepoTags, Digests: j.RepoDigests, Created: created, Size: j.Size,
		OS: j.OS, Arch: goArch(j.Architecture), Labels: j.Config.Labels, Env: j.Config.Env,
		Entrypoint: j.Config.Entrypoint, Cmd: j.Config.Cmd, User: j.Config.User,
		WorkDir: j.Config.WorkingDir, Volumes: sortedKeys(j.Config.Volumes),
		Ports: sortedKeys(j.Config.ExposedPorts), Health: health,
	}
}

func removeImageArgs(ref string) []string { return []string{"rmi", "--", ref} }

// RemoveImage removes an image, or one tag of it. Errors: ErrNoSuchImage, ErrInUse.
func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	argv := removeImageArgs(ref)
	if err := c.check(argv, "image", ref); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}

func tagArgs(ref, tag string) []string { return []string{"tag", "--", ref, tag} }

// Tag gives an image another name. Error: ErrNoSuchImage.
func (c *Client) Tag(ctx context.Context, ref, tag string) error {
	argv := tagArgs(ref, tag)
	if err := c.check(argv, "image", ref, tag); err != nil {
		return err
	}
	_, err := c.output(ctx, argv)
	return err
}
