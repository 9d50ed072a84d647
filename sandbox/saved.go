package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path"
	"slices"

	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// archiveDir is the directory of the archives in a snapshot's image.
const archiveDir = "/.drydock/snapshot/"

// archiveNames are the names of the archives of a snapshot.
var archiveNames = []string{"work.tar", "home.tar"}

// savedDirs returns the directories in the archives of archiveNames, in the same order.
func (sb *Sandbox) savedDirs() []string { return []string{sb.workDir, Home} }

// savedArchives are the archives of a snapshot, in temporary files of this host.
type savedArchives []*os.File

// save packs the directories of a snapshot into temporary files.
func (sb *Sandbox) save(ctx context.Context) (files savedArchives, err error) {
	for _, dir := range sb.savedDirs() {
		f, err := os.CreateTemp("", "drydock-*.tar")
		if err == nil {
			// If the system can remove an open file, none stays behind however this process ends.
			_ = os.Remove(f.Name())
			files = append(files, f)
			err = sb.packTo(ctx, dir, &bounded{w: f, remaining: sb.maxArchive()})
		}
		if err != nil {
			files.remove()
			return nil, err
		}
	}
	return files, nil
}

// maxArchive returns how many bytes an archive may have. A sparse file takes no memory in a
// sandbox, and its archive could fill this host's disk. The limit may be above the memory,
// because a work dir that is a mount is not in memory.
func (sb *Sandbox) maxArchive() int64 { return max(sb.config.Memory, 4<<30) }

// bounded is a writer that takes no more than remaining bytes.
type bounded struct {
	w         io.Writer
	remaining int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.remaining -= int64(len(p)); b.remaining < 0 {
		return 0, &Error{Code: CodeTooLarge, Err: errors.New("the files are too large to save; their holes count as zeros")}
	}
	return b.w.Write(p)
}

func (s savedArchives) remove() {
	for _, f := range s {
		f.Close()
		// A file that cannot be removed stays in the temporary directory.
		_ = os.Remove(f.Name())
	}
}

// reader returns the i-th archive from its beginning.
func (s savedArchives) reader(i int) (*io.SectionReader, error) {
	size, err := s[i].Seek(0, io.SeekEnd)
	return io.NewSectionReader(s[i], 0, size), err
}

// buildContext returns the archives as files of a build context.
func (s savedArchives) buildContext() ([]image.File, error) {
	var files []image.File
	for i, name := range archiveNames {
		r, err := s.reader(i)
		if err != nil {
			return nil, err
		}
		files = append(files, image.File{Name: name, Mode: 0o444, Size: r.Size(), Data: r})
	}
	return files, nil
}

// packTo has the guest pack a directory, and writes the archive to w.
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
	if remote, ok := errors.AsType[*wire.Error](err); ok && len(remote.Name) > 0 {
		err = &wire.Error{Code: remote.Code, Text: fmt.Sprintf("%q: %s", path.Join(dir, string(remote.Name)), remote.Text)}
	}
	return err
}

// unpackTar has the guest unpack the archive r into a directory.
func (sb *Sandbox) unpackTar(ctx context.Context, dir string, r io.Reader) error {
	call, err := sb.ch.Start(&channel.Request{Op: wire.OpUnpack, Args: &wire.Unpack{Path: []byte(dir), Inside: true}})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { call.Stream.Abort(context.Cause(ctx)) })
	defer stop()
	if err := send(call.Stream, r); err != nil {
		call.Cancel(true)
		_ = call.Await(ctx) // until the guest has undone what it began
		return err
	}
	return call.Result(ctx, nil)
}

// restoreOwn unpacks the archives in the sandbox's own image, into the directories without
// files.
func (sb *Sandbox) restoreOwn(ctx context.Context) error {
	dirs, err := sb.vacantDirs(ctx)
	if err != nil {
		return err
	}
	for i, dir := range sb.savedDirs() {
		if !slices.Contains(dirs, dir) {
			continue
		}
		m := &wire.Unpack{Path: []byte(dir), From: []byte(archiveDir + archiveNames[i]), Inside: true}
		if err := sb.do(ctx, wire.OpUnpack, m, nil); err != nil {
			return sb.failure("open snapshot", sb.config.Snapshot, err)
		}
	}
	return nil
}

// vacantDirs returns the directories of a snapshot that have no files yet. A directory with
// files comes from a mount, and is left as it is.
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

// vacant reports whether a directory is empty apart from the targets of mounts.
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

// targets returns the paths that something is mounted at.
func (sb *Sandbox) targets() []string {
	all := slices.Collect(maps.Keys(sb.config.Tmpfs))
	for _, m := range sb.config.Mounts {
		all = append(all, m.Target)
	}
	return append(all, sb.savedDirs()...)
}

// restoreFrom unpacks the archives on this host.
func (sb *Sandbox) restoreFrom(ctx context.Context, files savedArchives) error {
	for i, dir := range sb.savedDirs() {
		r, err := files.reader(i)
		if err == nil {
			err = sb.unpackTar(ctx, dir, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restoreCarried unpacks the archives in the image of a carrier into dirs.
func (sb *Sandbox) restoreCarried(ctx context.Context, from *Sandbox, dirs []string) error {
	for i, dir := range sb.savedDirs() {
		if !slices.Contains(dirs, dir) {
			continue
		}
		call, err := from.ch.Start(&channel.Request{Op: wire.OpRead,
			Args: &wire.Read{Path: []byte(archiveDir + archiveNames[i]), Limit: math.MaxInt64}})
		if err != nil {
			return from.failure("read", archiveNames[i], err)
		}
		if err := sb.unpackTar(ctx, dir, call.Stream); err != nil {
			return err
		}
		if err := call.Result(ctx, nil); err != nil {
			return from.failure("read", archiveNames[i], err)
		}
	}
	return nil
}
