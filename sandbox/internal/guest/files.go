//go:build linux

package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// openRegular opens a regular file for reading. Other files could block, or have no end.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(path, info)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func regular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return wire.Errorf(wire.CodeIsDir, "%s is a directory", path)
	case !info.Mode().IsRegular():
		return wire.Errorf(wire.CodeNotRegular, "%s is not a regular file (%s)", path, info.Mode().Type())
	}
	return nil
}

// read sends a file, or returns it if it fits one frame. A file of /proc says that it is
// empty and is not, so the end is where read finds it.
func (c *call) read(m *wire.Read) (last []byte, v any, err error) {
	path := c.s.abs(string(m.Path))
	f, info, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	remaining, whole := m.Limit, m.Limit < 0
	if whole {
		if remaining = m.Max; info.Size()-m.Offset > m.Max {
			return nil, nil, tooLarge(path, info.Size()-m.Offset, m.Max)
		}
	}
	buf := wire.NewBuffer()
	defer buf.Free()
	for offset, first := m.Offset, true; remaining > 0; first = false {
		n, err := f.ReadAt(buf.Data()[:min(remaining, int64(len(buf.Data())))], offset)
		offset, remaining = offset+int64(n), remaining-int64(n)
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		if first && (err == io.EOF || remaining == 0) {
			// The caller sends it together with the reply, after buf is freed.
			last = append([]byte{}, buf.Data()[:n]...)
		} else if err := c.stream.WriteBuffer(buf, n); err != nil {
			return nil, nil, err
		}
		if err == io.EOF {
			return last, nil, nil
		}
	}
	if whole {
		var more [1]byte
		if n, _ := f.ReadAt(more[:], m.Offset+m.Max); n > 0 {
			return nil, nil, tooLarge(path, info.Size()-m.Offset, m.Max)
		}
	}
	return last, nil, nil
}

func tooLarge(path string, size, limit int64) error {
	return wire.Errorf(wire.CodeTooLarge, "%s has %d bytes to read, more than the limit of %d", path, size, limit)
}

// write writes the bytes of the call's stream to a file.
func (c *call) write(m *wire.Write) (any, error) {
	return replace(c.s.abs(string(m.Path)), fs.FileMode(m.Mode).Perm(), func(f *os.File) error {
		_, err := c.stream.WriteTo(f)
		return err
	})
}

// replace gives a file new contents, which fill writes. mode is that of a file which is new.
//
// The contents go to a file beside it that is then renamed, so no reader ever sees half of
// them. A file is written in place if a new one could not be what it is: one of another owner,
// one in a directory that cannot be written to, a mount point.
func replace(path string, mode fs.FileMode, fill func(*os.File) error) (*wire.Written, error) {
	path, info, err := writable(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && info != nil:
		// A symlink to a file that is not there: the kernel makes it.
		return overwrite(path, os.O_CREATE, mode, fill)
	case err != nil:
		return nil, err
	case info == nil:
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, err
		}
	default:
		if err := regular(path, info); err != nil {
			return nil, err
		}
		if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid() {
			return overwrite(path, 0, 0, fill)
		}
		mode = 0o600 // until it has the mode of its predecessor
	}
	temp := filepath.Join(filepath.Dir(path), archive.TempName())
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		if info != nil && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
			return overwrite(path, 0, 0, fill)
		}
		return nil, renamed(err, temp, path)
	}
	defer f.Close()
	if err = fill(f); err == nil && info != nil {
		err = f.Chmod(info.Mode())
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err == nil {
		return &wire.Written{Created: info == nil}, nil
	}
	defer os.Remove(temp)
	if !errors.Is(err, syscall.EBUSY) {
		return nil, renamed(err, temp, path)
	}
	// The file itself is a mount point.
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, renamed(err, temp, path)
	}
	return overwrite(path, 0, 0, func(w *os.File) error { _, err := io.Copy(w, f); return err })
}

// writable returns the path of the file that a write to path is for, with a directory that
// can be cut from it, and what is there: nil if nothing is. If a symlink leads to a file that
// is not there, info is that of the link, and the error is fs.ErrNotExist.
func writable(path string) (real string, info fs.FileInfo, err error) {
	if strings.Contains(path, "..") {
		if path, err = resolve(path, 0); err != nil {
			return "", nil, err
		}
	}
	info, err = os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if real, err = evalSymlinks(path); err != nil {
			return path, info, err
		}
		path = real
		// It may have gone meanwhile, and is then made anew.
		info, err = os.Lstat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	return path, info, err
}

// renamed is an error about a temporary file in terms of the file that it is for: nobody knows
// of the other one.
func renamed(err error, temp, path string) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Path == temp {
		e.Path = path
	}
	return err
}

// overwrite writes a file in place.
func overwrite(path string, create int, mode fs.FileMode, fill func(*os.File) error) (*wire.Written, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NONBLOCK|syscall.O_NOCTTY|create, mode)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = regular(path, info)
	}
	if err == nil {
		err = fill(f)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, err
	}
	return &wire.Written{Created: create != 0, InPlace: true}, nil
}

func (c *call) stat(m *wire.Path) (any, error) {
	path := c.s.abs(string(m.Path))
	stat := os.Lstat
	if m.Follow {
		stat = os.Stat
	}
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	return fileInfo(path, info), nil
}

// fileInfo describes the file at path.
func fileInfo(path string, info fs.FileInfo) *wire.FileInfo {
	fi := &wire.FileInfo{
		Name:    []byte(info.Name()),
		Size:    info.Size(),
		Mode:    uint32(info.Mode()),
		ModTime: info.ModTime().UnixNano(),
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		fi.UID, fi.GID = st.Uid, st.Gid
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		// A link that vanished meanwhile keeps an empty target.
		target, _ := os.Readlink(path)
		fi.Link = []byte(target)
	}
	return fi
}

func (c *call) mkdir(m *wire.Mkdir) (any, error) {
	return nil, os.MkdirAll(c.s.abs(string(m.Path)), fs.FileMode(m.Mode).Perm())
}

func (c *call) remove(m *wire.Remove) (any, error) {
	remove := os.Remove
	if m.All {
		remove = os.RemoveAll
	}
	return nil, remove(c.s.abs(string(m.Path)))
}

func (c *call) rename(m *wire.Rename) (any, error) {
	return nil, os.Rename(c.s.abs(string(m.From)), c.s.abs(string(m.To)))
}

func (c *call) chmod(m *wire.Chmod) (any, error) {
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return nil, os.Chmod(c.s.abs(string(m.Path)), fs.FileMode(m.Mode)&bits)
}

func (c *call) chtimes(m *wire.Chtimes) (any, error) {
	var times [2]time.Time // the zero time leaves what is there
	for i, t := range []*int64{m.Access, m.Changed} {
		if t != nil {
			times[i] = time.Unix(0, *t)
		}
	}
	return nil, os.Chtimes(c.s.abs(string(m.Path)), times[0], times[1])
}

func (c *call) symlink(m *wire.Symlink) (any, error) {
	return nil, os.Symlink(string(m.Target), c.s.abs(string(m.Path)))
}

func (c *call) readlink(m *wire.Path) (any, error) {
	target, err := os.Readlink(c.s.abs(string(m.Path)))
	return &wire.Path{Path: []byte(target)}, err
}

func (c *call) hash(m *wire.Path) (any, error) {
	f, _, err := openRegular(c.s.abs(string(m.Path)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	buf := wire.NewBuffer()
	defer buf.Free()
	for {
		n, err := f.Read(buf.Data())
		sum.Write(buf.Data()[:n])
		switch {
		case err == io.EOF:
			return &wire.Hashed{Hash: hex.EncodeToString(sum.Sum(nil))}, nil
		case err != nil:
			return nil, err
		case c.aborted():
			return nil, errAborted
		}
	}
}
