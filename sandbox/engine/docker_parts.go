package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// The parts that the command line adds to an Engine.
var (
	_ Pauser        = (*CLI)(nil)
	_ UserConnector = (*CLI)(nil)
	_ Volumes       = (*CLI)(nil)
	_ Networks      = (*CLI)(nil)
	_ ImageBuilder  = (*CLI)(nil)
	_ ImageArchiver = (*CLI)(nil)
	_ Committer     = (*CLI)(nil)
)

// Pause implements Pauser.
func (e *CLI) Pause(ctx context.Context, name string) error {
	return translate("", e.c.Pause(ctx, name))
}

// Unpause implements Pauser.
func (e *CLI) Unpause(ctx context.Context, name string) error {
	return translate("", e.c.Unpause(ctx, name))
}

// VolumeLabels implements Volumes.
func (e *CLI) VolumeLabels(ctx context.Context, name string) (map[string]string, error) {
	v, err := e.c.VolumeInspect(ctx, name)
	if err != nil {
		return nil, translate(name, err)
	}
	return v.Labels, nil
}

// CreateVolume implements Volumes.
func (e *CLI) CreateVolume(ctx context.Context, name string, labels map[string]string, image string, uid, gid int) error {
	info, err := e.c.Info(ctx)
	if err != nil {
		return translate("", err)
	}
	// The one container that is not like the others: root with the one capability that
	// giving a directory away takes, for the time of one system call.
	o := runOptions(&Container{Image: image, User: "0:0", Network: "none", Memory: 64 << 20, PIDs: 64,
		Mounts: []Mount{{Source: name, Target: "/volume"}}}, info.Engine)
	o.CapAdd = []string{"CHOWN"}
	if err := e.c.VolumeCreate(ctx, name, &dockercli.VolumeOptions{Labels: labels}); err != nil {
		return translate(name, err)
	}
	r, err := e.c.Run(ctx, image, []string{"own", strconv.Itoa(uid), strconv.Itoa(gid), "/volume"}, o)
	if err == nil && r.ExitCode != 0 {
		if err = r.EngineError(); err == nil {
			err = fmt.Errorf("volume %s: %s", name, printable.Text(string(r.Stderr)))
		}
	}
	if err != nil {
		// A half-made volume would pass for a whole one the next time.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return translate(image, errors.Join(err, e.c.VolumeRemove(clean, name)))
	}
	return nil
}

// CreateNetwork implements Networks.
func (e *CLI) CreateNetwork(ctx context.Context, name string, labels map[string]string) error {
	return translate("", e.c.NetworkCreate(ctx, name, &dockercli.NetworkOptions{Labels: labels, Internal: true}))
}

// ListNetworks implements Networks.
func (e *CLI) ListNetworks(ctx context.Context, label, value string) ([]Object, error) {
	all, err := e.c.NetworkList(ctx, map[string]string{label: value})
	if err != nil {
		return nil, translate("", err)
	}
	out := make([]Object, len(all))
	for i, n := range all {
		out[i] = Object{ID: n.ID, Name: n.Name, Labels: n.Labels}
	}
	return out, nil
}

// RemoveNetwork implements Networks.
func (e *CLI) RemoveNetwork(ctx context.Context, name string) (gone bool, err error) {
	err = e.c.NetworkRemove(ctx, name)
	switch {
	case errors.Is(err, dockercli.ErrInUse):
		return false, nil
	case errors.Is(err, dockercli.ErrNoSuchNetwork):
		return true, nil
	}
	return err == nil, translate("", err)
}

// InspectImage implements Images.
func (e *CLI) InspectImage(ctx context.Context, ref string) (Image, error) {
	d, err := e.c.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, translate(ref, err)
	}
	return image(d), nil
}

func image(d *dockercli.Image) Image {
	return Image{
		ID: d.ID, Digests: d.Digests, Created: d.Created, Size: d.Size, Labels: d.Labels,
		Entrypoint: d.Entrypoint, Cmd: d.Cmd, WorkDir: d.WorkDir, User: d.User,
		Ports: d.Ports, Health: d.Health.Test, HealthTimeout: d.Health.Timeout,
	}
}

// ListImages implements Images.
func (e *CLI) ListImages(ctx context.Context, label, value string) ([]TaggedImage, error) {
	all, err := e.c.ImageList(ctx, map[string]string{label: value})
	if err != nil {
		return nil, translate("", err)
	}
	// A list has neither labels nor exact sizes. An inspection has these, but does not say
	// which of the names are in the list.
	var ids []string
	for _, listed := range all {
		ids = append(ids, listed.ID)
	}
	details, err := e.c.ImageInspectAll(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return nil, translate("", err)
	}
	images := make(map[string]Image)
	for _, d := range details {
		images[d.ID] = image(&d)
	}
	var out []TaggedImage
	for _, listed := range all {
		if im, ok := images[listed.ID]; ok { // else removed meanwhile
			out = append(out, TaggedImage{listed.Ref, im})
		}
	}
	return out, nil
}

// RemoveImage implements Images.
func (e *CLI) RemoveImage(ctx context.Context, ref string) error {
	err := e.c.ImageRemove(ctx, ref)
	switch {
	case errors.Is(err, dockercli.ErrNoSuchImage):
		return nil
	case errors.Is(err, dockercli.ErrInUse):
		// podman goes on to the image that this one was built on, and that one may be in use.
		if _, gone := e.c.ImageInspect(ctx, ref); errors.Is(gone, dockercli.ErrNoSuchImage) {
			return nil
		}
	}
	return translate(ref, err)
}

// SaveImages implements ImageArchiver.
func (e *CLI) SaveImages(ctx context.Context, w io.Writer, refs ...string) error {
	return translate(strings.Join(refs, ", "), e.c.Save(ctx, w, refs...))
}

// LoadImages implements ImageArchiver.
func (e *CLI) LoadImages(ctx context.Context, r io.Reader) ([]string, error) {
	refs, err := e.c.Load(ctx, r)
	return refs, translate("", err)
}

// Commit implements Committer.
func (e *CLI) Commit(ctx context.Context, name, tag string) error {
	return translate("", e.c.Commit(ctx, name, tag))
}

// Pull implements ImageBuilder.
func (e *CLI) Pull(ctx context.Context, ref string, progress io.Writer) error {
	return translate(ref, e.c.Pull(ctx, ref, &dockercli.PullOptions{Output: progress}))
}

// Build implements ImageBuilder.
func (e *CLI) Build(ctx context.Context, b *Build) error {
	err := e.c.Build(ctx, b.Context, &dockercli.BuildOptions{Tags: []string{b.Tag}, BuildArgs: b.Args, Output: b.Progress, NoCache: b.NoCache})
	if e, ok := errors.AsType[*dockercli.Error](err); ok && b.Hide != nil {
		e.Stderr = b.Hide(e.Stderr)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	// An engine that ends in the middle of a build leaves no words of its own.
	if errors.Is(e.c.Ping(ctx), dockercli.ErrUnreachable) {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return translate("", err)
}

// Reserve implements ImageBuilder.
func (e *CLI) Reserve(ctx context.Context, name, image string, labels map[string]string) (bool, error) {
	err := e.c.ContainerCreate(ctx, image, name, labels, "never") // some images have no command
	if errors.Is(err, dockercli.ErrNameInUse) {
		return false, nil
	}
	return err == nil, translate(image, err)
}
