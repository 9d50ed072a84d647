package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Packer writes an archive.
type Packer struct {
	work
	tw    *tar.Writer
	plain bool // modes are those that os.CopyFS makes
}

// NewPacker returns a Packer that writes to w. Its memory does not grow with the tree.
func NewPacker(w io.Writer, o *Options) *Packer {
	return &Packer{work: newWork(o), tw: tar.NewWriter(w), plain: runtime.GOOS == "windows"}
}

// Close ends the archive.
func (p *Packer) Close() error { return p.tw.Close() }

// Total returns how much was packed.
func (p *Packer) Total() Total { return p.total }

// Path packs the tree of a directory, or one file under its own name. It follows a symlink of
// that name, and no other.
func (p *Packer) Path(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return fileError("", err)
	}
	if info.IsDir() {
		return p.Dir(name, "")
	}
	if !info.Mode().IsRegular() {
		return &wire.Error{Code: wire.CodeNotRegular, Text: kind(info.Mode()) + " is neither a file nor a directory"}
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fileError("", err)
	}
	defer f.Close()
	return p.file(f, filepath.Base(name))
}

// Dir packs the tree of a directory. prefix comes before the names of its entries; it is empty
// or ends in a slash.
func (p *Packer) Dir(name, prefix string) error {
	d, err := openDir(name)
	if err != nil {
		return fileError("", err)
	}
	defer d.Close()
	return p.tree(d, prefix)
}

// FS packs the tree of a file system. Like os.CopyFS it takes no permission from there but the
// one to execute: the modes of an embed.FS would let nobody write.
func (p *Packer) FS(fsys fs.FS) error {
	p.plain = true
	return p.tree(fsys, "")
}

func (p *Packer) tree(fsys fs.FS, prefix string) error {
	info, err := fs.Stat(fsys, ".")
	if err != nil {
		return fileError("", err)
	}
	if !info.IsDir() {
		return wire.Errorf(wire.CodeNotDir, "not a directory")
	}
	if _, err := p.header(p.describe(info, path.Clean(prefix+"."))); err != nil {
		return err
	}
	// The files of a directory come before those of its directories, so each directory is open
	// once at either end.
	for pending := []string{"."}; len(pending) > 0; {
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if pending, err = p.dir(fsys, dir, prefix, pending); err != nil {
			return err
		}
	}
	return nil
}

// dir packs the entries of a directory, and appends the directories among them to pending.
func (p *Packer) dir(fsys fs.FS, dir, prefix string, pending []string) ([]string, error) {
	const batch = 256
	f, err := fsys.Open(dir)
	if err != nil {
		return pending, p.unreadable(prefix+dir, err)
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return pending, p.unreadable(prefix+dir, errors.New("not a directory that can be read"))
	}
	for {
		entries, err := d.ReadDir(batch)
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if p.o.excluded(name) {
				continue
			}
			if err := p.entry(fsys, name, prefix, e); err != nil {
				return pending, err
			}
			if e.IsDir() {
				pending = append(pending, name)
			}
		}
		if err == io.EOF || err == nil && len(entries) == 0 {
			return pending, nil
		}
		if err != nil {
			return pending, p.unreadable(prefix+dir, err)
		}
	}
}

func (p *Packer) entry(fsys fs.FS, name, prefix string, e fs.DirEntry) error {
	if e.Type().IsRegular() {
		f, err := fsys.Open(name)
		if err != nil {
			return p.unreadable(prefix+name, err)
		}
		defer f.Close()
		return p.file(f, prefix+name)
	}
	info, err := e.Info()
	if err != nil {
		return p.unreadable(prefix+name, err)
	}
	h := p.describe(info, prefix+name)
	switch info.Mode().Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		if h.Linkname, err = fs.ReadLink(fsys, name); err != nil {
			return p.unreadable(h.Name, err)
		}
	default:
		return p.special(h.Name, info.Mode())
	}
	_, err = p.header(h)
	return err
}

// special refuses a file that is neither a regular one nor a directory or a symlink.
func (p *Packer) special(name string, mode fs.FileMode) error {
	if p.o.Inside {
		return nil
	}
	return p.refuse(refusal(name, kind(mode)))
}

// unreadable refuses an entry that cannot be read. One that is gone since its directory was read
// is not part of the tree.
func (p *Packer) unreadable(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return p.refuse(fileError(name, err))
}

// kind names the type of a file that is neither a regular one nor a directory or a symlink.
func kind(mode fs.FileMode) string {
	switch mode.Type() {
	case fs.ModeNamedPipe:
		return "a FIFO"
	case fs.ModeSocket:
		return "a socket"
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return "a device"
	}
	return fmt.Sprintf("something of the type %q", mode.Type().String())
}

// describe returns the header of a file.
func (p *Packer) describe(info fs.FileInfo, name string) *tar.Header {
	h := &tar.Header{Name: name, ModTime: info.ModTime(), Mode: int64(info.Mode().Perm())}
	switch info.Mode().Type() {
	case fs.ModeDir:
		h.Typeflag = tar.TypeDir
	case fs.ModeSymlink:
		h.Typeflag = tar.TypeSymlink
	default:
		h.Typeflag = tar.TypeReg
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			h.Mode |= 0o4000 // admit refuses it
		}
	}
	if p.plain {
		h.Mode = 0o644 | h.Mode&0o111
		if h.Typeflag == tar.TypeDir || runtime.GOOS == "windows" {
			h.Mode = 0o755
		}
	}
	return h
}

// header writes the header of an entry that passes.
func (p *Packer) header(h *tar.Header) (ok bool, err error) {
	if ok, err = p.admit(h); ok && err == nil {
		err = p.put(h)
	}
	return ok && err == nil, err
}

func (p *Packer) put(h *tar.Header) error {
	h.Format = tar.FormatPAX // it keeps every name, and times to the nanosecond
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	return p.tw.WriteHeader(h)
}

// file packs a regular file.
func (p *Packer) file(f fs.File, name string) error {
	info, err := f.Stat()
	if err != nil {
		return p.unreadable(name, err)
	}
	if !info.Mode().IsRegular() {
		return p.special(name, info.Mode()) // it was a file a moment ago
	}
	h := p.describe(info, name)
	h.Size = info.Size()
	data := p.buf
	n, err := io.ReadFull(f, data)
	data = data[:n]
	whole := err == io.EOF || err == io.ErrUnexpectedEOF
	switch {
	case whole:
		h.Size = int64(n) // whatever it was a moment ago
	case err != nil:
		return p.unreadable(name, err)
	case h.Size == 0:
		// A file of /proc, whose size is not known before its end.
		if data, err = readOn(f, data); err != nil {
			return p.unreadable(name, err)
		}
		h.Size, whole = int64(len(data)), true
	case h.Size < int64(n):
		h.Size = int64(n) // it grew
	}
	if ok, err := p.header(h); !ok {
		return err
	}
	if err := p.write(name, data); err != nil || whole {
		return err
	}
	return p.rest(f, name, h.Size-int64(n))
}

// readOn reads the rest of a file of unknown size.
func readOn(f io.Reader, begun []byte) ([]byte, error) {
	const maxSize = 8 << 20
	rest, err := io.ReadAll(io.LimitReader(f, maxSize))
	if len(rest) == maxSize {
		return nil, wire.Errorf(wire.CodeTooLarge, "more than 8 MiB of a file that does not say its size")
	}
	return append(append([]byte{}, begun...), rest...), err
}

// rest packs the last bytes of a file.
func (p *Packer) rest(f io.Reader, name string, remaining int64) error {
	changed := false
	for remaining > 0 {
		data := p.buf[:min(remaining, bufferSize)]
		n, err := io.ReadFull(f, data)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			// It shrank after its header was written.
			clear(data[n:])
			changed = true
		} else if err != nil {
			return fileError(name, err)
		}
		if err := p.write(name, data); err != nil {
			return err
		}
		remaining -= int64(len(data))
	}
	if n, _ := f.Read(p.buf[:1]); n > 0 {
		changed = true
	}
	if changed && p.o.Changed != nil {
		p.o.Changed(string(clip(name)))
	}
	return nil
}

func (p *Packer) write(name string, data []byte) error {
	if _, err := p.tw.Write(data); err != nil {
		return err
	}
	return p.step(name, len(data))
}

// Archive packs the entries of another archive, as far as they pass. With root it writes a header
// for the tree's root first, if the other archive does not begin with one.
func (p *Packer) Archive(r io.Reader, root bool) error {
	from := newReader(r, &p.work)
	for first := true; ; first = false {
		h, err := from.next()
		if first && root && (err == io.EOF || err == nil && h.Name != ".") {
			if err := p.put(&tar.Header{Typeflag: tar.TypeDir, Name: ".", Mode: 0o755}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// A new header: only fields that were checked pass.
		err = p.put(&tar.Header{Typeflag: h.Typeflag, Name: h.Name, Linkname: h.Linkname,
			Size: h.Size, Mode: h.Mode & 0o777, ModTime: h.ModTime})
		if err == nil {
			err = from.contents(h, p.write)
		}
		if err != nil {
			return err
		}
	}
}
