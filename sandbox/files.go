package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// MaxRead is how many bytes ReadFile returns at most if ReadOptions.Limit is not set: 8 MiB.
const MaxRead = 8 << 20

// maxListing is how many bytes the listing of a directory or a search may have. It bounds the
// host's memory; more is CodeTooLarge.
const maxListing = 64 << 20

// ReadOptions say which bytes ReadFile reads; nil is all defaults.
type ReadOptions struct {
	// Offset is where to begin, in bytes. Default: the beginning.
	Offset int64
	// Limit is how many bytes to read at most; it may be more than MaxRead. Default: all bytes
	// from Offset on, and more than MaxRead are ErrTooLarge.
	Limit int64
}

// ReadFile returns the bytes of a regular file. For a directory, a device or a FIFO it returns
// an error and never blocks.
func (sb *Sandbox) ReadFile(ctx context.Context, name string, opts *ReadOptions) ([]byte, error) {
	o := orZero(opts)
	if o.Offset < 0 || o.Limit < 0 {
		return nil, failure("read", name, invalid("offset %d and limit %d must not be negative", o.Offset, o.Limit))
	}
	m := &wire.Read{Path: []byte(name), Offset: o.Offset, Limit: cmp.Or(o.Limit, -1), Max: MaxRead}
	data, err := sb.collect(ctx, wire.OpRead, m, max(m.Limit, MaxRead), nil)
	if err != nil {
		err = sb.failure("read", name, err)
		if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeTooLarge {
			e.Err = fmt.Errorf("%w: read it in pieces with ReadOptions.Offset and Limit", e.Err)
		}
		return nil, err
	}
	return data, nil
}

// collect makes a call and gathers its bytes, at most maxBytes. More are CodeTooLarge. The
// reply goes into v.
func (sb *Sandbox) collect(ctx context.Context, op wire.Op, args any, maxBytes int64, v any) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	data, tooLarge := []byte{}, false // written by the channel's read loop, until the call is done
	call, err := sb.ch.Start(&channel.Request{Op: op, Args: args, Stdout: func(p []byte) {
		if tooLarge = tooLarge || int64(len(data)+len(p)) > maxBytes; !tooLarge {
			data = append(data, p...)
		}
	}})
	if err != nil {
		return nil, err
	}
	if err := call.Result(ctx, v); err != nil {
		return nil, err
	}
	if tooLarge {
		return nil, &Error{Code: CodeTooLarge, Err: fmt.Errorf("more than %d bytes", maxBytes)}
	}
	return data, nil
}

// WriteOptions say how WriteFile makes a file; nil is all defaults.
type WriteOptions struct {
	// Mode is the permission bits of a new file, before the umask 022. A file that exists keeps
	// its mode. Default: 0644.
	Mode fs.FileMode
}

// WriteResult says how a file was written.
type WriteResult struct {
	// Created: the file did not exist.
	Created bool
	// InPlace: the file could not be replaced by a rename, because another user owns it, it is
	// a mount point, or its directory is not writable. Others may have seen it half written.
	InPlace bool
}

// WriteFile writes data to a file and makes missing directories above it. A file that exists
// is replaced at once and keeps its mode and owner.
func (sb *Sandbox) WriteFile(ctx context.Context, name string, data []byte, opts *WriteOptions) (WriteResult, error) {
	if len(data) > wire.MaxData {
		return sb.WriteFrom(ctx, name, bytes.NewReader(data), opts)
	}
	var w wire.Written
	err := context.Cause(ctx)
	if err == nil {
		var call *channel.Call
		// The body is sent with the request.
		call, err = sb.ch.Start(&channel.Request{Op: wire.OpWrite, Args: opts.request(name), Body: append([]byte{}, data...)})
		if err == nil {
			err = call.Result(ctx, &w)
		}
	}
	return writeResult(&w), sb.failure("write", name, err)
}

// WriteFrom is WriteFile with the bytes of r until its end. If r fails, the file stays as it
// was, unless it can only be written in place: see WriteResult.
func (sb *Sandbox) WriteFrom(ctx context.Context, name string, r io.Reader, opts *WriteOptions) (WriteResult, error) {
	if err := context.Cause(ctx); err != nil {
		return WriteResult{}, sb.failure("write", name, err)
	}
	call, err := sb.ch.Start(&channel.Request{Op: wire.OpWrite, Args: opts.request(name)})
	if err != nil {
		return WriteResult{}, sb.failure("write", name, err)
	}
	stop := context.AfterFunc(ctx, func() { call.Stream.Abort(context.Cause(ctx)) })
	defer stop()
	if err := send(call.Stream, &callerReader{ctx: ctx, r: r}); err != nil {
		call.Cancel(true)
		_ = call.Await(ctx) // until the guest has undone what it began
		return WriteResult{}, &Error{Op: "write", Name: name, Err: err}
	}
	var w wire.Written
	err = call.Result(ctx, &w)
	return writeResult(&w), sb.failure("write", name, err)
}

func (o *WriteOptions) request(name string) *wire.Write {
	mode := cmp.Or(orZero(o).Mode, 0o644)
	return &wire.Write{Path: []byte(name), Mode: uint32(mode.Perm())}
}

func writeResult(w *wire.Written) WriteResult {
	return WriteResult{Created: w.Created, InPlace: w.InPlace}
}

// FileInfo describes a file. It is an fs.FileInfo and an fs.DirEntry.
type FileInfo struct{ info wire.FileInfo }

// Name returns the last element of the file's path.
func (f FileInfo) Name() string { return string(f.info.Name) }

// Size returns the length in bytes of a regular file.
func (f FileInfo) Size() int64 { return f.info.Size }

// Mode returns the type and permission bits.
func (f FileInfo) Mode() fs.FileMode { return fs.FileMode(f.info.Mode) }

// ModTime returns when the contents last changed.
func (f FileInfo) ModTime() time.Time { return time.Unix(0, f.info.ModTime) }

// IsDir reports whether it is a directory.
func (f FileInfo) IsDir() bool { return f.Mode().IsDir() }

// Sys returns nil.
func (f FileInfo) Sys() any { return nil }

// Type returns the type bits of the mode.
func (f FileInfo) Type() fs.FileMode { return f.Mode().Type() }

// Info returns f itself.
func (f FileInfo) Info() (fs.FileInfo, error) { return f, nil }

// Owner returns the numeric uid and gid.
func (f FileInfo) Owner() (uid, gid int) { return int(f.info.UID), int(f.info.GID) }

// Target returns the target of a symlink, unresolved.
func (f FileInfo) Target() string { return string(f.info.Link) }

// check refuses a name that would lead elsewhere once a caller joins it to a directory.
func (f FileInfo) check() error {
	if name := f.Name(); name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return &wire.ProtocolError{Reason: fmt.Sprintf("a directory entry named %q", name)}
	}
	return nil
}

// Stat describes a file. It follows a symlink.
func (sb *Sandbox) Stat(ctx context.Context, name string) (FileInfo, error) {
	return sb.stat(ctx, name, true)
}

// Lstat describes a file. It does not follow a symlink.
func (sb *Sandbox) Lstat(ctx context.Context, name string) (FileInfo, error) {
	return sb.stat(ctx, name, false)
}

func (sb *Sandbox) stat(ctx context.Context, name string, follow bool) (FileInfo, error) {
	var f FileInfo
	err := sb.do(ctx, wire.OpStat, &wire.Path{Path: []byte(name), Follow: follow}, &f.info)
	return f, sb.failure("stat", name, err)
}

// do makes a call that brings nothing but its reply.
func (sb *Sandbox) do(ctx context.Context, op wire.Op, args, v any) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return sb.ch.Do(ctx, op, args, v)
}

// ReadDir returns the entries of a directory, sorted by name. It does not follow symlinks. A
// listing of more than 64 MiB is ErrTooLarge: use Walk for that.
func (sb *Sandbox) ReadDir(ctx context.Context, name string) ([]FileInfo, error) {
	data, err := sb.collect(ctx, wire.OpReadDir, &wire.Path{Path: []byte(name)}, maxListing, nil)
	if err != nil {
		return nil, sb.failure("readdir", name, err)
	}
	var entries []FileInfo
	err = eachLine(data, func(info *wire.FileInfo) error {
		f := FileInfo{*info}
		entries = append(entries, f)
		return f.check()
	})
	if err != nil {
		return nil, sb.failure("readdir", name, err)
	}
	return entries, nil
}

// MkdirAll makes a directory and its missing parents, with the given permission bits before
// the umask 022. It succeeds if the directory exists.
func (sb *Sandbox) MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	err := sb.do(ctx, wire.OpMkdir, &wire.Mkdir{Path: []byte(name), Mode: uint32(perm.Perm())}, nil)
	return sb.failure("mkdir", name, err)
}

// Remove removes a file or an empty directory.
func (sb *Sandbox) Remove(ctx context.Context, name string) error {
	return sb.remove(ctx, &wire.Remove{Path: []byte(name)})
}

// RemoveAll removes a file, or a directory with everything in it. It succeeds if there is
// none.
func (sb *Sandbox) RemoveAll(ctx context.Context, name string) error {
	return sb.remove(ctx, &wire.Remove{Path: []byte(name), All: true})
}

func (sb *Sandbox) remove(ctx context.Context, m *wire.Remove) error {
	if len(m.Path) == 0 {
		// Elsewhere an empty name is the work dir, which is too easy to remove by mistake.
		return failure("remove", "", invalid("empty name: write . for the work dir"))
	}
	return sb.failure("remove", string(m.Path), sb.do(ctx, wire.OpRemove, m, nil))
}

// Rename moves a file or a directory. It replaces a file that has the new name.
func (sb *Sandbox) Rename(ctx context.Context, from, to string) error {
	return sb.failure("rename", from, sb.do(ctx, wire.OpRename, &wire.Rename{From: []byte(from), To: []byte(to)}, nil))
}

// Chmod changes the mode bits of a file, following a symlink: the permissions and
// fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky. Setuid and setgid have no effect in a sandbox.
func (sb *Sandbox) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return sb.failure("chmod", name, sb.do(ctx, wire.OpChmod, &wire.Chmod{Path: []byte(name), Mode: uint32(mode)}, nil))
}

// Chtimes changes the access and modification times of a file, following a symlink. A zero
// time leaves that one unchanged.
func (sb *Sandbox) Chtimes(ctx context.Context, name string, atime, mtime time.Time) error {
	m := &wire.Chtimes{Path: []byte(name), Access: nanoseconds(atime), Changed: nanoseconds(mtime)}
	return sb.failure("chtimes", name, sb.do(ctx, wire.OpChtimes, m, nil))
}

func nanoseconds(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixNano()
	return &n
}

// Symlink makes name a symlink to target, which need not exist.
func (sb *Sandbox) Symlink(ctx context.Context, target, name string) error {
	return sb.failure("symlink", name, sb.do(ctx, wire.OpSymlink, &wire.Symlink{Target: []byte(target), Path: []byte(name)}, nil))
}

// Readlink returns the target of a symlink, unresolved.
func (sb *Sandbox) Readlink(ctx context.Context, name string) (string, error) {
	var r wire.Path
	err := sb.do(ctx, wire.OpReadlink, &wire.Path{Path: []byte(name)}, &r)
	return string(r.Path), sb.failure("readlink", name, err)
}

// Hash returns the SHA-256 of a regular file of any length, in hexadecimal as in Lines.Hash and
// EditOptions.IfHash.
func (sb *Sandbox) Hash(ctx context.Context, name string) (string, error) {
	var r wire.Hashed
	err := sb.do(ctx, wire.OpHash, &wire.Path{Path: []byte(name)}, &r)
	if b, bad := hex.DecodeString(r.Hash); err == nil && (bad != nil || len(b) != sha256.Size) {
		err = &wire.ProtocolError{Reason: fmt.Sprintf("a hash %.100q", r.Hash)}
	}
	if err != nil {
		return "", sb.failure("hash", name, err)
	}
	return r.Hash, nil
}

// Exists reports whether there is a file of that name, of any type. A symlink exists even if
// its target does not.
func (sb *Sandbox) Exists(ctx context.Context, name string) (bool, error) {
	_, err := sb.Lstat(ctx, name)
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == CodeNotExist || e.Code == CodeNotDir) {
		return false, nil
	}
	return err == nil, err
}

// RealPath returns the absolute path of a file, without symlinks and "..". If the file does not
// exist, the part of the path that exists is resolved and the rest appended.
func (sb *Sandbox) RealPath(ctx context.Context, name string) (string, error) {
	var r wire.Path
	err := sb.do(ctx, wire.OpRealPath, &wire.Path{Path: []byte(name)}, &r)
	return string(r.Path), sb.failure("realpath", name, err)
}
