package sandbox

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// FS returns a file system for reading the files below a directory, until ctx ends. It is an
// fs.ReadDirFS, fs.StatFS, fs.ReadLinkFS, and an fs.ReadFileFS with the limit MaxRead. Symlinks
// are followed wherever they lead inside the sandbox. Open files are io.Seekers and io.ReaderAts.
// They can have any length, because their bytes are fetched as they are read.
func (sb *Sandbox) FS(ctx context.Context, dir string) fs.FS {
	return &sandboxFS{ctx: ctx, sb: sb, dir: dir}
}

// sandboxFS holds a context because the methods of package fs take none.
type sandboxFS struct {
	ctx context.Context
	sb  *Sandbox
	dir string
}

// path returns the sandbox's path of a name in the file system.
func (f *sandboxFS) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(f.dir, name), nil
}

// pathError wraps an error as package fs requires.
func pathError(op, name string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (f *sandboxFS) Stat(name string) (fs.FileInfo, error) {
	return f.stat("stat", name, true)
}

func (f *sandboxFS) Lstat(name string) (fs.FileInfo, error) {
	return f.stat("lstat", name, false)
}

func (f *sandboxFS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	p, err := f.path(op, name)
	if err != nil {
		return nil, err
	}
	info, err := f.sb.stat(f.ctx, p, follow)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	info.info.Name = []byte(path.Base(name))
	return info, nil
}

func (f *sandboxFS) ReadLink(name string) (string, error) {
	p, err := f.path("readlink", name)
	if err != nil {
		return "", err
	}
	target, err := f.sb.Readlink(f.ctx, p)
	return target, pathError("readlink", name, err)
}

func (f *sandboxFS) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := f.path("readdir", name)
	if err != nil {
		return nil, err
	}
	infos, err := f.sb.ReadDir(f.ctx, p)
	entries := make([]fs.DirEntry, len(infos))
	for i, info := range infos {
		entries[i] = info
	}
	return entries, pathError("readdir", name, err)
}

func (f *sandboxFS) ReadFile(name string) ([]byte, error) {
	p, err := f.path("read", name)
	if err != nil {
		return nil, err
	}
	data, err := f.sb.ReadFile(f.ctx, p, nil)
	return data, pathError("read", name, err)
}

func (f *sandboxFS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	p, _ := f.path("open", name)
	if info.IsDir() {
		return &openDir{fs: f, name: name, info: info}, nil
	}
	return &openFile{fs: f, name: name, path: p, info: info}, nil
}

// openDir is an open directory.
type openDir struct {
	fs   *sandboxFS
	name string
	info fs.FileInfo

	mu      sync.Mutex
	entries []fs.DirEntry
	read    bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: &Error{Op: "read", Name: d.name, Code: CodeIsDir, Err: errors.New("is a directory")}}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.read {
		entries, err := d.fs.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.entries, d.read = entries, true
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	out := slices.Clone(d.entries[:n])
	d.entries = d.entries[n:]
	return out, nil
}

// openFile is an open file. Reads in sequence share one call, which streams the bytes from an
// offset on.
type openFile struct {
	fs         *sandboxFS
	name, path string
	info       fs.FileInfo

	mu     sync.Mutex
	off    int64
	call   *channel.Call // streams the bytes from off on; nil before the first Read
	stop   func() bool
	closed bool
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *openFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if f.call == nil {
		if err := f.start(); err != nil {
			return 0, pathError("read", f.name, err)
		}
	}
	n, err := f.call.Stream.Read(p)
	f.off += int64(n)
	if err == io.EOF {
		if e := f.call.Result(f.fs.ctx, nil); e != nil {
			err = f.fs.sb.failure("read", f.path, e)
		}
	} else if err != nil {
		err = f.fs.sb.failure("read", f.path, err)
	}
	return n, pathError("read", f.name, err)
}

// start makes the call that brings the bytes from the current offset on.
func (f *openFile) start() error {
	err := context.Cause(f.fs.ctx)
	if err == nil {
		f.call, err = f.fs.sb.ch.Start(&channel.Request{Op: wire.OpRead,
			Args: &wire.Read{Path: []byte(f.path), Offset: f.off, Limit: math.MaxInt64}})
	}
	if err != nil {
		return f.fs.sb.failure("read", f.path, err)
	}
	call := f.call
	f.stop = context.AfterFunc(f.fs.ctx, func() { call.Stream.Abort(context.Cause(f.fs.ctx)) })
	return nil
}

// end cancels the call under way, if there is one.
func (f *openFile) end() {
	if f.call == nil {
		return
	}
	f.stop()
	select {
	case <-f.call.Done():
	default:
		f.call.Cancel(true)
		f.call.Stream.CloseRead()
	}
	f.call = nil
}

func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += f.info.Size()
	}
	if offset < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, pathError("seek", f.name, fs.ErrInvalid)
	}
	if offset != f.off {
		f.end()
		f.off = offset
	}
	return offset, nil
}

func (f *openFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	if len(p) == 0 {
		return 0, nil
	}
	data, err := f.fs.sb.ReadFile(f.fs.ctx, f.path, &ReadOptions{Offset: off, Limit: int64(len(p))})
	n := copy(p, data)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, pathError("read", f.name, err)
}

func (f *openFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	f.end()
	return nil
}
