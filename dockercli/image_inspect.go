package dockercli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Image is an image that the engine holds.
type Image struct {
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
	Ports      []string // the ports that it exposes, such as "80/tcp"
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
	return flagsOf("image", "inspect", "--format={{json .}}").operands(refs...)
}

// ImageInspect returns an image that the engine holds. Error: ErrNoSuchImage.
func (c *Client) ImageInspect(ctx context.Context, ref string) (*Image, error) {
	return query(ctx, c, imageInspectArgs(ref), parseImage, "image", ref)
}

// maxInspected is how many images one process asks for: a command line of Windows has at most
// 32 KiB.
const maxInspected = 100

// ImageInspectAll returns the images among refs that the engine holds.
func (c *Client) ImageInspectAll(ctx context.Context, refs []string) ([]Image, error) {
	var all []Image
	for some := range slices.Chunk(refs, maxInspected) {
		argv := imageInspectArgs(some...)
		if err := c.check(argv, "image", some...); err != nil {
			return nil, err
		}
		r, err := c.do(ctx, call{argv: argv})
		if err != nil {
			return nil, err
		}
		if r.ExitCode != 0 {
			// The CLI has printed the images that exist.
			if err := c.exitError(argv, r); !errors.Is(err, ErrNoSuchImage) {
				return nil, err
			}
		}
		if err := c.whole(argv, r); err != nil {
			return nil, err
		}
		list, err := decodeAll[imageJSON](string(r.Stdout))
		if err != nil {
			return nil, c.failure(argv, 0, "", err)
		}
		for _, j := range list {
			all = append(all, *j.image())
		}
	}
	return all, nil
}

func parseImage(text string) (*Image, error) {
	j, err := decodeOne[imageJSON](text)
	if err != nil {
		return nil, err
	}
	return j.image(), nil
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

func (j *imageJSON) image() *Image {
	health := j.Config.Healthcheck
	if len(health.Test) == 0 {
		health = j.Healthcheck
	}
	created, _ := time.Parse(time.RFC3339Nano, j.Created) // some images have none
	return &Image{
		ID: digest(j.ID), Tags: j.RepoTags, Digests: j.RepoDigests, Created: created, Size: j.Size,
		OS: j.OS, Arch: goArch(j.Architecture), Labels: j.Config.Labels, Env: j.Config.Env,
		Entrypoint: j.Config.Entrypoint, Cmd: j.Config.Cmd, User: j.Config.User,
		WorkDir: j.Config.WorkingDir, Volumes: slices.Sorted(maps.Keys(j.Config.Volumes)),
		Ports: slices.Sorted(maps.Keys(j.Config.ExposedPorts)), Health: health,
	}
}
