package archive

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Unpacked is the tree or the file of an archive. It is at its place only after Commit, except
// a tree whose directory was there before: that was filled as the entries came.
type Unpacked struct {
	work
	root *os.Root // where the entries go
	sub  *os.Root // the directory at, which was used last
	at   string

	dirs  map[string]*dir // names known to be directories, and no symlinks
	links []link          // made last, so that no entry goes through one
	names int             // bytes of the names that are kept

	// A new tree or file is made as temp in base, and gets its final name at the end.
	base        *os.Root
	temp, final string
}

// dir is a directory of the tree.
type dir struct {
	made    bool // it was not there before
	known   bool // the archive has an entry for it, with the fields below
	mode    fs.FileMode
	modTime time.Time
}

type link struct{ name, target string }

// Unpack puts the archive that r holds at dst and makes the parents of that. An archive that
// begins with a file is that file, any other is a tree. The caller ends it with Commit or
// Discard. It does not read beyond the archive's end.
func Unpack(r io.Reader, dst string, o *Options) (*Unpacked, error) {
	u := &Unpacked{work: newWork(o), dirs: make(map[string]*dir)}
	u.writes = true
	if err := u.unpack(newReader(r, &u.work), filepath.Clean(dst)); err != nil {
		u.Discard()
		return nil, err
	}
	return u, nil
}

// Total returns how much was unpacked.
func (u *Unpacked) Total() Total { return u.total }

func (u *Unpacked) unpack(r *reader, dst string) error {
	h, err := r.next()
	if err == io.EOF {
		return ErrEmpty
	}
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeReg {
		return u.unpackFile(r, h, dst)
	}
	mode := fs.FileMode(0o777)
	if h.Name == "." {
		mode = perm(h)
	}
	if err := u.placeTree(dst, mode); err != nil {
		return err
	}
	for err == nil {
		if err = u.entry(r, h); err == nil {
			h, err = r.next()
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func (u *Unpacked) unpackFile(r *reader, h *tar.Header, dst string) error {
	if err := u.placeFile(dst); err != nil {
		return err
	}
	f, err := create(u.base, u.temp, h)
	if err != nil {
		return fileError("", err)
	}
	if err := u.fill(f, r, h); err != nil {
		return err
	}
	if err := chtimes(u.base, u.temp, h.ModTime); err != nil {
		return fileError("", err)
	}
	if h, err := r.next(); err == nil {
		return refusal(h.Name, "an entry after the one file of the archive")
	} else if err != io.EOF {
		return err
	}
	return nil
}

// placeTree makes or opens the directory of a tree.
func (u *Unpacked) placeTree(dst string, mode fs.FileMode) error {
	info, err := os.Stat(dst)
	switch {
	case err == nil && info.IsDir():
		if u.root, err = openRoot(dst); err != nil {
			return fileError("", err)
		}
		u.dirs["."] = &dir{}
		return nil
	case err == nil:
		return wire.Errorf(wire.CodeNotDir, "there is a file in the place of the directory")
	}
	if err := u.placeNew(dst, err); err != nil {
		return err
	}
	if err := u.base.Mkdir(u.temp, mode|0o700); err != nil {
		return fileError("", err)
	}
	if u.root, err = u.base.OpenRoot(u.temp + "/."); err != nil {
		return fileError("", err)
	}
	u.dirs["."] = &dir{made: true}
	return nil
}

// placeFile finds the place of a file.
func (u *Unpacked) placeFile(dst string) error {
	info, err := os.Stat(dst)
	if err != nil {
		return u.placeNew(dst, err)
	}
	switch {
	case info.IsDir():
		return wire.Errorf(wire.CodeIsDir, "there is a directory in the place of the file: end its name with a slash to put the file into it")
	case !info.Mode().IsRegular():
		return &wire.Error{Code: wire.CodeNotRegular, Text: "there is " + kind(info.Mode()) + " in the place of the file"}
	}
	real, err := filepath.EvalSymlinks(dst)
	if err != nil {
		return fileError("", err)
	}
	return u.placeIn(filepath.Dir(real), filepath.Base(real))
}

// placeNew finds the lowest directory above dst that exists. The rest of the path is made from
// there.
func (u *Unpacked) placeNew(dst string, missing error) error {
	if !errors.Is(missing, fs.ErrNotExist) {
		return fileError("", missing)
	}
	final := ""
	for {
		// There must be nothing. A symlink that leads nowhere is not followed.
		if _, err := os.Lstat(dst); err == nil {
			return wire.Errorf(wire.CodeExist, "%s is a symlink to a file that does not exist", dst)
		}
		final = filepath.Join(filepath.Base(dst), final)
		dst = filepath.Dir(dst)
		if _, err := os.Stat(dst); err == nil {
			return u.placeIn(dst, final)
		} else if !errors.Is(err, fs.ErrNotExist) || dst == filepath.Dir(dst) {
			return fileError("", err)
		}
	}
}

func (u *Unpacked) placeIn(base, final string) (err error) {
	u.final, u.temp = final, TempName()
	if u.base, err = openRoot(base); err != nil {
		return fileError("", err)
	}
	return nil
}

// TempName returns a name for a file that gets its own when it is whole. Nobody else has one
// like it.
func TempName() string { return ".drydock-" + strconv.FormatUint(rand.Uint64(), 36) }

// Commit puts the tree or file at its place.
func (u *Unpacked) Commit() error {
	err := u.commit()
	if err != nil {
		u.Discard()
		return err
	}
	u.close()
	return nil
}

func (u *Unpacked) commit() error {
	if err := u.makeLinks(); err != nil {
		return err
	}
	if err := u.finishDirs(); err != nil {
		return err
	}
	if u.base == nil {
		return nil
	}
	err := u.base.MkdirAll(filepath.Dir(u.final), 0o777)
	if err == nil {
		err = u.base.Rename(u.temp, u.final)
	}
	if err != nil {
		return fileError("", err)
	}
	return nil
}

// Discard removes the tree or file, unless it was put into a directory that was there before.
func (u *Unpacked) Discard() {
	if u.base != nil && u.base.RemoveAll(u.temp) != nil {
		// There may be directories that are closed to their own user.
		for _, name := range slices.Sorted(maps.Keys(u.dirs)) {
			_ = u.root.Chmod(name, 0o700)
		}
		_ = u.base.RemoveAll(u.temp)
	}
	u.close()
}

func (u *Unpacked) close() {
	for _, root := range []*os.Root{u.sub, u.root, u.base} {
		if root != nil {
			root.Close()
		}
	}
	*u = Unpacked{work: u.work}
}

func (u *Unpacked) entry(r *reader, h *tar.Header) error {
	if u.o.excepted(h.Name) {
		return nil
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.mkdirs(h.Name, h); err != nil {
			return err
		}
		d := u.dirs[h.Name]
		d.known, d.mode, d.modTime = true, perm(h), h.ModTime
		return nil
	case tar.TypeSymlink:
		// Clones, because both may be parts of a header that is much longer.
		l := link{strings.Clone(h.Name), strings.Clone(h.Linkname)}
		u.links = append(u.links, l)
		return u.keep(l.name + l.target)
	}
	return u.file(r, h)
}

// keep counts a name that is kept to the end.
func (u *Unpacked) keep(name string) error {
	if u.names += len(name); u.names > maxNames {
		return &wire.Error{Code: wire.CodeTooLarge, Name: clip(name), Text: "too many long names"}
	}
	return nil
}

// in returns the directory of a file, which it makes if it is missing, and the file's name in
// it.
func (u *Unpacked) in(name string) (*os.Root, string, error) {
	parent, base := path.Split(name)
	if parent == "" {
		return u.root, base, nil
	}
	if u.sub != nil && u.at == parent {
		return u.sub, base, nil
	}
	if err := u.mkdirs(path.Clean(parent), nil); err != nil {
		return nil, "", err
	}
	// With "." at the end, a FIFO that was put in the directory's place does not block.
	sub, err := u.root.OpenRoot(parent + ".")
	if err != nil {
		return nil, "", fileError(path.Clean(parent), err)
	}
	if u.sub != nil {
		u.sub.Close()
	}
	u.sub, u.at = sub, parent
	return sub, base, nil
}

// mkdirs makes a directory and those above it. h is its entry; nil if there is none yet.
func (u *Unpacked) mkdirs(name string, h *tar.Header) error {
	if u.dirs[name] != nil {
		return nil
	}
	if parent := path.Dir(name); parent != "." {
		if err := u.mkdirs(parent, nil); err != nil {
			return err
		}
	}
	name = strings.Clone(name)
	if err := u.keep(name); err != nil {
		return err
	}
	mode := fs.FileMode(0o777)
	if h != nil {
		mode = perm(h)
	} else if err := u.count(name); err != nil {
		return err
	}
	err := u.root.Mkdir(name, mode|0o700)
	if errors.Is(err, fs.ErrExist) {
		info, e := u.root.Lstat(name)
		switch {
		case e != nil:
			err = e
		case info.IsDir():
			u.dirs[name] = &dir{}
			return nil
		case info.Mode()&fs.ModeSymlink != 0:
			return &wire.Error{Code: wire.CodeNotDir, Name: clip(name), Text: "there is a symlink, which is not followed, in the place of the directory"}
		default:
			err = syscall.ENOTDIR
		}
	}
	if err != nil {
		return fileError(name, err)
	}
	u.dirs[name] = &dir{made: true}
	return nil
}

// file makes a regular file.
func (u *Unpacked) file(r *reader, h *tar.Header) error {
	in, base, err := u.in(h.Name)
	if err != nil {
		return err
	}
	name := base
	f, err := create(in, name, h)
	if errors.Is(err, fs.ErrExist) {
		// The old file stays until the new one is whole, and is never written to: it may be a
		// symlink, a FIFO, or have another name outside.
		if err = notDir(in, base); err == nil {
			name = TempName()
			f, err = create(in, name, h)
		}
	}
	if err != nil {
		return fileError(h.Name, err)
	}
	if err = u.fill(f, r, h); err == nil {
		if err = chtimes(in, name, h.ModTime); err == nil && name != base {
			err = in.Rename(name, base)
		}
		if err != nil {
			err = fileError(h.Name, err)
		}
	}
	if err != nil {
		_ = in.Remove(name)
	}
	return err
}

func create(in *os.Root, name string, h *tar.Header) (*os.File, error) {
	return in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm(h))
}

func perm(h *tar.Header) fs.FileMode { return fs.FileMode(h.Mode & 0o777) }

// notDir returns an error if a file that is to be replaced is a directory.
func notDir(in *os.Root, name string) error {
	if info, err := in.Lstat(name); err != nil || info.IsDir() {
		return cmp.Or(err, error(syscall.EISDIR))
	}
	return nil
}

// fill writes the contents of an entry to its file, and closes that.
func (u *Unpacked) fill(f *os.File, r *reader, h *tar.Header) error {
	hole := int64(0) // zeros that were not written yet
	err := r.contents(h, func(name string, data []byte) (err error) {
		if u.o.Inside && zeros(data) {
			// It may be a hole in the file. Archives do not record those, and with real zeros
			// the file may be larger than the memory that there is.
			hole += int64(len(data))
			return u.step(name, len(data))
		}
		if hole > 0 {
			_, err = f.Seek(hole, io.SeekCurrent)
			hole = 0
		}
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			return fileError(name, err)
		}
		return u.step(name, len(data))
	})
	if err == nil && hole > 0 {
		if err = f.Truncate(h.Size); err != nil {
			err = fileError(h.Name, err)
		}
	}
	const umask = 0o022 // the guest's
	if err == nil && u.o.Exact && perm(h)&umask != 0 {
		if err = f.Chmod(perm(h)); err != nil {
			err = fileError(h.Name, err)
		}
	}
	if e := f.Close(); e != nil && err == nil {
		err = fileError(h.Name, e)
	}
	return err
}

// zeros reports whether data is all zeros.
func zeros(data []byte) bool {
	return len(data) > 0 && data[0] == 0 && bytes.Equal(data[1:], data[:len(data)-1])
}

// chtimes sets the modification time of a file, if the archive has it and a file can have it.
func chtimes(in *os.Root, name string, t time.Time) error {
	if t.Unix() == 0 || !time.Unix(0, t.UnixNano()).Equal(t) {
		return nil
	}
	return in.Chtimes(name, time.Time{}, t)
}

// makeLinks makes the symlinks.
func (u *Unpacked) makeLinks() error {
	for _, l := range u.links {
		in, base, err := u.in(l.name)
		if err != nil {
			return err
		}
		if err := symlink(in, base, l.target); err != nil {
			return fileError(l.name, err)
		}
	}
	if u.base != nil || u.o.Inside {
		return nil
	}
	// Together with a symlink that was there before, one of the archive may lead out.
	for _, l := range u.links {
		_, err := u.root.Stat(l.name)
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) ||
			errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err := u.root.Remove(l.name); err != nil {
			return fileError(l.name, err)
		}
		if err := u.refuse(refusal(l.name, "a symlink that leads out of the tree by one that was there before")); err != nil {
			return err
		}
	}
	return nil
}

// symlink makes a symlink. It replaces a file, but no directory.
func symlink(in *os.Root, name, target string) error {
	err := in.Symlink(target, name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := notDir(in, name); err != nil {
		return err
	}
	temp := TempName()
	if err := in.Symlink(target, temp); err != nil {
		return err
	}
	if err = in.Rename(temp, name); err != nil {
		_ = in.Remove(temp)
	}
	return err
}

// finishDirs gives directories the modes and times that they could not have while they were
// filled. The inner ones come first, because the outer ones may be closed then.
func (u *Unpacked) finishDirs() error {
	names := slices.Sorted(maps.Keys(u.dirs))
	for _, name := range slices.Backward(names) {
		d := u.dirs[name]
		if !d.made || !d.known {
			continue
		}
		if u.o.Exact {
			if err := u.root.Chmod(name, d.mode); err != nil {
				return fileError(name, err)
			}
		}
		if err := chtimes(u.root, name, d.modTime); err != nil {
			return fileError(name, err)
		}
	}
	return nil
}
