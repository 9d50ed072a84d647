package sandbox

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// A snapshot is an image: that of the sandbox, and on top of it an archive of the work dir
// and one of the home, which both come from mounts and are in no image by themselves. What
// opens it unpacks them with a uid of its own.

// snapshotRepository is the repository of all snapshots; their names are tags.
const snapshotRepository = "localhost/drydock/snapshot"

// rootRepository is that of the images which those of a WritableRoot are made on.
const rootRepository = snapshotRepository + "-root"

// savedDir is where the archives are in a snapshot's image, by the names below.
const savedDir = "/.drydock/snapshot/"

// saved are the archives of a snapshot.
var saved = []string{"work.tar", "home.tar"}

// savedDirs are the directories that they are of, in the same order.
func (sb *Sandbox) savedDirs() []string { return []string{sb.c.WorkDir, Home} }

// SnapshotInfo describes a snapshot.
type SnapshotInfo struct {
	Name    string
	Created time.Time
	// Size is that of the image in bytes, with what it shares with others.
	Size int64
	// Base is the image that the sandbox ran, WorkDir its work dir.
	Base, WorkDir string

	ref    string
	labels map[string]string
}

// Snapshot saves the files of the work dir and of the home as an image under a name, which
// Options.Snapshot opens; one of that name is replaced. With Options.WritableRoot all that was
// changed outside of mounts is saved as well. Processes, /tmp, other mounts and what
// Options.Tmpfs names are not. Files that are written meanwhile are saved as they are found.
// A file that the sandbox's user cannot read is an error.
//
// The files go through temporary files of this host. More than 4 GiB of either directory, or than
// Options.Memory where that is more, are ErrTooLarge; holes count as zeros.
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
	e := sb.c.Engine
	done, err := builds.acquire(ctx, ref)
	if err != nil {
		return err
	}
	defer done()
	files, err := sb.save(ctx)
	if err != nil {
		return err
	}
	defer files.remove()
	from := base
	if writable {
		from = rootRepository + ":" + randomName()
		if err := e.Commit(ctx, sb.spec.Name, from); err != nil {
			return err
		}
		// Only the name goes: the layers are the snapshot's.
		defer e.RemoveImage(context.WithoutCancel(ctx), from)
	}
	progress := newProgress("snapshot "+name, sb.c.Progress)
	progress.steps = sb.snapshotSteps(from, base, writable)
	r, w := io.Pipe()
	go func() { w.CloseWithError(files.buildContext(w, progress.steps)) }()
	// podman fails where an image is removed while it looks through all for one to use again.
	err = e.Build(ctx, &Build{Tag: ref, Context: r, Progress: progress, NoCache: true})
	r.CloseWithError(errors.New("the build has ended"))
	if err != nil {
		err = cmp.Or(context.Cause(ctx), progress.failed(err))
	}
	progress.done(err)
	if err != nil {
		return err
	}
	dropReplaced(ctx, e)
	return nil
}

func (sb *Sandbox) snapshotSteps(from, base string, writable bool) []step {
	labels := map[string]string{
		LabelFormat: labelFormat, LabelKind: "snapshot", LabelBase: base, LabelWorkDir: sb.c.WorkDir,
		LabelUser: sb.c.User, LabelCreated: time.Now().UTC().Format(time.RFC3339),
	}
	if writable {
		labels[LabelWritable] = "true"
		// A container's labels become those of what it is committed to.
		labels[LabelID], labels[LabelOwner], labels[LabelLease] = "", "", ""
	}
	return []step{
		{"FROM " + from, "base image " + base},
		{"COPY " + strings.Join(saved, " ") + " " + savedDir, "files"},
		{"LABEL " + labelPairs(labels), "labels"},
	}
}

// baseImage returns the image that the sandbox runs, or ran before it was a snapshot's, and
// whether its root can be written to.
func (sb *Sandbox) baseImage(ctx context.Context) (ref string, writable bool, err error) {
	ref, labels := cmp.Or(sb.c.base, sb.spec.Image), sb.spec.Labels
	if ref == "" { // it was attached to
		all, err := sb.c.Engine.List(ctx, LabelKind, "sandbox")
		if err != nil {
			return "", false, err
		}
		for _, l := range all {
			if l.Name == sb.spec.Name {
				ref, labels = l.Image, l.Labels
			}
		}
		if strings.HasPrefix(ref, snapshotRepository+":") {
			image, err := sb.c.Engine.Image(ctx, ref)
			if err != nil {
				return "", false, err
			}
			ref = image.Labels[LabelBase]
		}
	}
	return ref, labels[LabelWritable] != "", nil
}

func snapshotRef(name string) (string, error) {
	if !simpleName.MatchString(name) {
		return "", &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("snapshot name %q: write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128", name)}
	}
	return snapshotRepository + ":" + name, nil
}

// findSnapshot asks the engine for a snapshot.
func findSnapshot(ctx context.Context, engine Engine, name string) (*SnapshotInfo, error) {
	ref, err := snapshotRef(name)
	if err != nil {
		return nil, err
	}
	image, err := engine.Image(ctx, ref)
	if errors.Is(err, ErrNoImage) {
		return nil, fmt.Errorf("%w: there is no snapshot %s", ErrNoImage, name)
	}
	if err != nil {
		return nil, err
	}
	return snapshotInfo(name, ref, image)
}

func snapshotInfo(name, ref string, image ImageInfo) (*SnapshotInfo, error) {
	s := &SnapshotInfo{Name: name, Created: image.Created, Size: image.Size, Base: image.Labels[LabelBase],
		WorkDir: image.Labels[LabelWorkDir], ref: ref, labels: image.Labels}
	if image.Labels[LabelKind] != "snapshot" || s.Base == "" || checkWorkDir(s.WorkDir) != nil {
		return nil, fmt.Errorf("%s is no snapshot, though it has the name of one", ref)
	}
	return s, nil
}

// Snapshots returns the snapshots on an engine, nil being the default, sorted by name.
func Snapshots(ctx context.Context, engine Engine) ([]SnapshotInfo, error) {
	engine = orDefault(engine)
	images, err := engine.Images(ctx, LabelKind, "snapshot")
	if err != nil {
		return nil, &Error{Op: "list snapshots", Err: err}
	}
	var all []SnapshotInfo
	for _, image := range images {
		name, ours := strings.CutPrefix(image.Ref, snapshotRepository+":")
		if !ours {
			continue
		}
		s, err := snapshotInfo(name, image.Ref, image.ImageInfo)
		if err != nil {
			return nil, &Error{Op: "list snapshots", Err: err}
		}
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b SnapshotInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// RemoveSnapshot removes a snapshot from an engine, nil being the default. One that does not
// exist is no error; one that a sandbox runs is.
func RemoveSnapshot(ctx context.Context, engine Engine, name string) error {
	engine = orDefault(engine)
	ref, err := snapshotRef(name)
	if err == nil {
		err = engine.RemoveImage(ctx, ref)
	}
	if err != nil {
		return &Error{Op: "remove snapshot", Name: name, Err: err}
	}
	dropReplaced(ctx, engine)
	return nil
}

// dropReplaced removes snapshots that others have taken the names of. One that a sandbox
// runs stays until the next time.
func dropReplaced(ctx context.Context, engine Engine) {
	images, _ := engine.Images(ctx, LabelKind, "snapshot")
	for _, image := range images {
		if image.Ref == "" {
			_ = engine.RemoveImage(ctx, image.ID)
		}
	}
}

// savedFiles are archives on this host.
type savedFiles []*os.File

// save packs the directories of a snapshot.
func (sb *Sandbox) save(ctx context.Context) (files savedFiles, err error) {
	for _, dir := range sb.savedDirs() {
		f, err := os.CreateTemp("", "drydock-*.tar")
		if err == nil {
			// Where an open file can be removed, none is left however this process ends.
			_ = os.Remove(f.Name())
			files = append(files, f)
			err = sb.packTo(ctx, dir, &bounded{w: f, left: sb.mostSaved()})
		}
		if err != nil {
			files.remove()
			return nil, err
		}
	}
	return files, nil
}

// mostSaved is how long an archive may be in bytes: a file that is all hole takes no memory in a
// sandbox, and could fill this host's disk.
func (sb *Sandbox) mostSaved() int64 { return max(sb.c.Memory, leastSaved) }

// leastSaved is what mostSaved is at least, for a work dir that comes from a mount.
const leastSaved = 4 << 30

// bounded is a writer that takes no more than left bytes.
type bounded struct {
	w    io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, &wire.Error{Code: wire.CodeTooLarge, Text: "the files, with holes in them as zeros, are too many or too long"}
	}
	return b.w.Write(p)
}

func (s savedFiles) remove() {
	for _, f := range s {
		f.Close()
		// Whoever clears the temporary directory has the rest.
		_ = os.Remove(f.Name())
	}
}

// reader returns the i-th archive from its beginning.
func (s savedFiles) reader(i int) (io.Reader, error) {
	size, err := s[i].Seek(0, io.SeekEnd)
	return io.NewSectionReader(s[i], 0, size), err
}

// buildContext writes the archive that the builder is given.
func (s savedFiles) buildContext(w io.Writer, steps []step) error {
	tw := tar.NewWriter(w)
	add := func(name string, r io.Reader, size int64) error {
		err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: size, ModTime: time.Unix(0, 0)})
		if err == nil {
			_, err = io.Copy(tw, r)
		}
		return err
	}
	file := dockerfile(steps)
	if err := add("Dockerfile", bytes.NewReader(file), int64(len(file))); err != nil {
		return err
	}
	for i, name := range saved {
		info, err := s[i].Stat()
		if err != nil {
			return err
		}
		r, err := s.reader(i)
		if err == nil {
			err = add(name, r, info.Size())
		}
		if err != nil {
			return err
		}
	}
	return tw.Close()
}

// packTo writes an archive of a directory.
func (sb *Sandbox) packTo(ctx context.Context, dir string, w io.Writer) error {
	call, err := sb.ch.Start(&channel.Request{Op: wire.OpPack, Args: &wire.Pack{Path: []byte(dir), Inside: true}})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { call.Stream.Abort(context.Cause(ctx)) })
	defer stop()
	if _, err := call.Stream.WriteTo(w); err != nil {
		call.Cancel(true)
		call.Stream.CloseRead()
		return err
	}
	err = call.Result(ctx, &wire.Packed{})
	var remote *wire.Error
	if errors.As(err, &remote) && len(remote.Name) > 0 {
		err = &wire.Error{Code: remote.Code, Text: fmt.Sprintf("%q: %s", path.Join(dir, string(remote.Name)), remote.Text)}
	}
	return err
}

// unpackFrom puts an archive of a directory there.
func (sb *Sandbox) unpackFrom(ctx context.Context, dir string, r io.Reader) error {
	call, err := sb.ch.Start(&channel.Request{Op: wire.OpUnpack, Args: &wire.Unpack{Path: []byte(dir), Inside: true}})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { call.Stream.Abort(context.Cause(ctx)) })
	defer stop()
	if err := send(call.Stream, r); err != nil {
		call.Cancel(true)
		_ = call.Await(ctx) // for what was begun to be undone
		return err
	}
	return call.Result(ctx, nil)
}

// unpackSaved unpacks what the sandbox's own image has of a snapshot.
func (sb *Sandbox) unpackSaved(ctx context.Context) error {
	dirs, err := sb.vacantDirs(ctx)
	if err != nil {
		return err
	}
	for i, dir := range sb.savedDirs() {
		if !slices.Contains(dirs, dir) {
			continue
		}
		m := &wire.Unpack{Path: []byte(dir), From: []byte(savedDir + saved[i]), Inside: true}
		if err := sb.do(ctx, wire.OpUnpack, m, nil); err != nil {
			return sb.failure("open snapshot", sb.c.Snapshot, err)
		}
	}
	return nil
}

// vacantDirs returns which of the directories of a snapshot have no files yet. One that has comes
// from a mount, and is left as it is.
func (sb *Sandbox) vacantDirs(ctx context.Context) (dirs []string, err error) {
	for _, dir := range sb.savedDirs() {
		vacant, err := sb.vacant(ctx, dir)
		if err != nil {
			return nil, err
		}
		if vacant {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// vacant reports whether a directory has no files but what is mounted in it.
func (sb *Sandbox) vacant(ctx context.Context, dir string) (bool, error) {
	entries, err := sb.ReadDir(ctx, dir)
	targets := sb.targets()
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if slices.Contains(targets, name) {
			continue
		}
		if !e.IsDir() || !slices.ContainsFunc(targets, func(t string) bool { return within(t, []string{name}) != "" }) {
			return false, nil
		}
		if vacant, err := sb.vacant(ctx, name); !vacant || err != nil {
			return false, err
		}
	}
	return err == nil, err
}

// targets are where something is mounted.
func (sb *Sandbox) targets() []string {
	all := slices.Collect(maps.Keys(sb.c.Tmpfs))
	for _, m := range sb.c.Mounts {
		all = append(all, path.Clean(m.Target))
	}
	return append(all, sb.savedDirs()...)
}
