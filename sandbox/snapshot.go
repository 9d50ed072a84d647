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

// A snapshot is an image: that of the sandbox, and on top of it an archive of the work dir
// and one of the home, which both come from mounts and are in no image by themselves. A
// sandbox that opens it unpacks them with a uid of its own.

// snapshotRepository is the repository of all snapshots; their names are tags.
const snapshotRepository = "localhost/drydock/snapshot"

// rootRepository holds the committed root file system that a WritableRoot snapshot is built
// on.
const rootRepository = snapshotRepository + "-root"

// SnapshotInfo describes a snapshot.
type SnapshotInfo struct {
	Name    string
	Created time.Time
	// Size is that of the image in bytes, with the parts that it shares with others.
	Size int64
	// Base is the image that the sandbox ran.
	Base string
	// WorkDir is the work dir of the sandbox.
	WorkDir string

	ref    string
	labels map[string]string
}

// exclusive holds what one goroutine at a time may do: to save under a name, by the
// snapshot's reference, and to roll a sandbox back, by the container's name.
var exclusive keyed.Mutex[string]

// Snapshot saves the files of the work dir and of the home as an image under a name, which
// Options.Snapshot opens. One of that name is replaced. With Options.WritableRoot all that
// was changed outside of mounts is saved as well. Processes, /tmp, other mounts and
// Options.Tmpfs are not saved. Files that are written meanwhile are saved as they are found.
// A file that the sandbox's user cannot read is an error.
//
// The files go through temporary files of this host. More than 4 GiB of either directory, or
// than Options.Memory if that is more, are ErrTooLarge; holes count as zeros.
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

// commitRoot makes an image of the root file system, for a snapshot to be built on.
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
	if err := e.Commit(ctx, sb.spec.Name, ref); err != nil {
		return "", nil, err
	}
	// Only the name goes: the layers are the snapshot's. A name that stays is swept.
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
		// The labels of a container become those of the image that it is committed to.
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
		// podman fails if an image is removed while it looks through all for one to use again.
		NoCache: true,
	}, err
}

// baseImage returns the image that snapshots of the sandbox are built on, and whether its
// root can be written to.
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

// findSnapshot asks the engine for a snapshot.
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
	if im.Labels[engine.LabelKind] != engine.KindSnapshot || s.Base == "" || (drydock.Runtime{Image: s.Base, WorkDir: s.WorkDir}).Validate() != nil || s.WorkDir == "" {
		return nil, fmt.Errorf("%s is no snapshot, though it has the name of one", ref)
	}
	return s, nil
}

// Snapshots returns the snapshots on an engine, nil being engine.Default, sorted by name.
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
		if s, err := snapshotInfo(name, im.Ref, im.Image); err == nil { // else it only has such a name
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b SnapshotInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// RemoveSnapshot removes a snapshot from an engine, nil being engine.Default. One that does
// not exist is no error. One that a sandbox runs on is engine.ErrInUse.
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

// dropReplaced removes snapshots that have lost their names to newer ones. One that a
// sandbox runs on stays until the next time.
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
