package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/keyed"
)

// A snapshot is an image: the image of the sandbox, with an archive of the work dir and one of
// the home on top. Both directories are mounts, so no commit of the container would include
// them. A sandbox that opens the snapshot unpacks the archives as its own user.

// snapshotRepository is the repository of all snapshots; their names are tags.
const snapshotRepository = "localhost/drydock/snapshot"

// rootRepository holds the committed root file system that a WritableRoot snapshot is built
// on.
const rootRepository = snapshotRepository + "-root"

// SnapshotInfo describes a snapshot.
type SnapshotInfo struct {
	Name    string
	Created time.Time
	// Size is the size of the image in bytes, with the layers that it shares with others.
	Size int64
	// Base is the image of the sandbox that was saved.
	Base string
	// WorkDir is the work dir of the sandbox.
	WorkDir string

	ref    string
	labels map[string]string
}

// exclusive lets one goroutine at a time save under a name, keyed by the snapshot's reference,
// and roll a sandbox back, keyed by the container's name.
var exclusive keyed.Mutex[string]

// Snapshot saves the files of the work dir and the home as an image under a name, which
// Options.Snapshot opens. It replaces a snapshot of the same name. With Options.WritableRoot,
// changes of the root file system are saved as well. Processes, /tmp, other mounts and
// Options.Tmpfs are not saved. A file that is written meanwhile may be saved half written. A file
// that the sandbox's user cannot read is an error.
//
// The files pass through temporary files of this host. If either directory has more than 4 GiB,
// or more than Options.Memory if that is larger, the error is ErrTooLarge. Holes count as zeros.
func (sb *Sandbox) Snapshot(ctx context.Context, name string) error {
	return sb.failure("snapshot", name, sb.snapshot(ctx, name))
}

func (sb *Sandbox) snapshot(ctx context.Context, name string) error {
	ref, err := snapshotRef(name)
	if err != nil {
		return err
	}
	base, writable, err := sb.baseImage(ctx)
	if err != nil {
		return err
	}
	unlock, err := exclusive.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	files, err := sb.save(ctx)
	if err != nil {
		return err
	}
	defer files.remove()
	from := base
	if writable {
		root, remove, err := sb.commitRoot(ctx)
		if err != nil {
			return err
		}
		defer remove()
		from = root
	}
	recipe, err := sb.snapshotRecipe(ref, from, base, writable, files)
	if err != nil {
		return err
	}
	recipe.Title = "snapshot " + name
	if err := sb.config.Images.Build(ctx, recipe); err != nil {
		return err
	}
	dropReplaced(ctx, sb.config.Engine)
	return nil
}

// commitRoot makes an image of the root file system, which the snapshot is then built on.
func (sb *Sandbox) commitRoot(ctx context.Context) (ref string, remove func(), err error) {
	e, err := engine.Require[engine.Committer](ctx, sb.config.Engine)
	if err != nil {
		return "", nil, err
	}
	images, err := engine.Require[engine.Images](ctx, sb.config.Engine)
	if err != nil {
		return "", nil, err
	}
	ref = rootRepository + ":" + randomName()
	sb.stateMu.Lock()
	err = e.Commit(ctx, sb.spec.Name, ref)
	sb.stateMu.Unlock()
	if err != nil {
		return "", nil, err
	}
	// This removes the name only, because the snapshot has the layers. Sweep removes a name that
	// is left behind.
	return ref, func() { _ = images.RemoveImage(context.WithoutCancel(ctx), ref) }, nil
}

func (sb *Sandbox) snapshotRecipe(ref, from, base string, writable bool, files savedArchives) (*image.Recipe, error) {
	labels := map[string]string{
		engine.LabelFormat: engine.Format, engine.LabelKind: engine.KindSnapshot, engine.LabelBase: base,
		engine.LabelWorkDir: sb.workDir, engine.LabelUser: sb.config.User,
		engine.LabelCreated: time.Now().UTC().Format(time.RFC3339),
	}
	if writable {
		labels[engine.LabelWritable] = "true"
		// A commit copies the container's labels to the image. These do not apply to a snapshot.
		labels[engine.LabelID], labels[engine.LabelOwner], labels[engine.LabelLease] = "", "", ""
	}
	archives, err := files.buildContext()
	return &image.Recipe{
		Tag: ref,
		Steps: []image.Step{
			{Instruction: "FROM " + from, Text: "base image " + base},
			{Instruction: "COPY " + strings.Join(archiveNames, " ") + " " + archiveDir, Text: "files"},
			image.Labels(labels),
		},
		Files: archives,
		// podman fails if an image is removed while it searches all images for one to reuse.
		NoCache: true,
	}, err
}

// baseImage returns the image that snapshots of the sandbox are built on, and whether the
// sandbox has a WritableRoot.
func (sb *Sandbox) baseImage(ctx context.Context) (ref string, writable bool, err error) {
	ref, labels := sb.base, sb.spec.Labels
	if ref == "" { // it was adopted
		all, err := sb.config.Engine.List(ctx, engine.LabelKind, engine.KindSandbox)
		if err != nil {
			return "", false, err
		}
		for _, o := range all {
			if o.Name == sb.spec.Name {
				ref, labels = o.Image, o.Labels
			}
		}
		if name, ok := strings.CutPrefix(ref, snapshotRepository+":"); ok {
			s, err := findSnapshot(ctx, sb.config.Engine, name)
			if err != nil {
				return "", false, err
			}
			ref = s.Base
		}
	}
	return ref, labels[engine.LabelWritable] != "", nil
}

func snapshotRef(name string) (string, error) {
	if !simpleName.MatchString(name) {
		return "", invalid("snapshot name %q: write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128", name)
	}
	return snapshotRepository + ":" + name, nil
}

// findSnapshot asks the engine for a snapshot. If there is none, the error is ErrNoImage.
func findSnapshot(ctx context.Context, on engine.Engine, name string) (*SnapshotInfo, error) {
	ref, err := snapshotRef(name)
	if err != nil {
		return nil, err
	}
	e, err := engine.Require[engine.Images](ctx, on)
	if err != nil {
		return nil, err
	}
	im, err := e.InspectImage(ctx, ref)
	if errors.Is(err, ErrNoImage) {
		return nil, fmt.Errorf("%w: there is no snapshot %s", ErrNoImage, name)
	}
	if err != nil {
		return nil, err
	}
	return snapshotInfo(name, ref, im)
}

func snapshotInfo(name, ref string, im engine.Image) (*SnapshotInfo, error) {
	s := &SnapshotInfo{Name: name, Created: im.Created, Size: im.Size, Base: im.Labels[engine.LabelBase],
		WorkDir: im.Labels[engine.LabelWorkDir], ref: ref, labels: im.Labels}
	valid := drydock.Runtime{Image: s.Base, WorkDir: s.WorkDir}.Validate() == nil
	if im.Labels[engine.LabelKind] != engine.KindSnapshot || s.Base == "" || s.WorkDir == "" || !valid {
		return nil, fmt.Errorf("image %s has the name of a snapshot and is none", ref)
	}
	return s, nil
}

// Snapshots returns the snapshots on an engine, sorted by name; nil means engine.Default().
func Snapshots(ctx context.Context, on engine.Engine) ([]SnapshotInfo, error) {
	all, err := snapshots(ctx, orDefault(on))
	return all, failure("list snapshots", "", err)
}

func snapshots(ctx context.Context, on engine.Engine) ([]SnapshotInfo, error) {
	e, err := engine.Require[engine.Images](ctx, on)
	if err != nil {
		return nil, err
	}
	images, err := e.ListImages(ctx, engine.LabelKind, engine.KindSnapshot)
	if err != nil {
		return nil, err
	}
	var all []SnapshotInfo
	for _, im := range images {
		name, ours := strings.CutPrefix(im.Ref, snapshotRepository+":")
		if !ours {
			continue
		}
		if s, err := snapshotInfo(name, im.Ref, im.Image); err == nil { // others only have such a name
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b SnapshotInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// RemoveSnapshot removes a snapshot from an engine; nil means engine.Default(). It succeeds if
// there is none. If a sandbox runs on the snapshot, the error is engine.ErrInUse.
func RemoveSnapshot(ctx context.Context, on engine.Engine, name string) error {
	return failure("remove snapshot", name, removeSnapshot(ctx, orDefault(on), name))
}

func removeSnapshot(ctx context.Context, on engine.Engine, name string) error {
	ref, err := snapshotRef(name)
	if err != nil {
		return err
	}
	e, err := engine.Require[engine.Images](ctx, on)
	if err == nil {
		err = e.RemoveImage(ctx, ref)
	}
	if err != nil {
		return err
	}
	dropReplaced(ctx, on)
	return nil
}

// dropReplaced removes snapshots whose names newer ones have taken. A snapshot that a sandbox
// runs on stays until a later call.
func dropReplaced(ctx context.Context, on engine.Engine) {
	e, err := engine.Require[engine.Images](ctx, on)
	if err != nil {
		return
	}
	images, _ := e.ListImages(ctx, engine.LabelKind, engine.KindSnapshot)
	for _, im := range images {
		if im.Ref == "" {
			_ = e.RemoveImage(ctx, im.ID)
		}
	}
}
