package sandbox

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Upload copies a file or a directory of the host into the sandbox. src becomes dst or, if dst
// ends with a slash, the entry of dst with the last name of src. If src itself is a symlink it
// is followed; other symlinks are copied as symlinks.
func (sb *Sandbox) Upload(ctx context.Context, src, dst string, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "upload", src, dst, opts)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(dst, "/") {
		abs, err := filepath.Abs(src)
		if err != nil {
			return nil, t.localError(err)
		}
		base := filepath.Base(abs)
		if base == string(filepath.Separator) {
			return nil, t.localError(invalid("it has no name to put into %s: write the full destination", dst))
		}
		dst += base
	}
	return t.send(ctx, dst, func(p *archive.Packer) error { return p.Path(src) })
}

// UploadFS copies a file system, such as an embed.FS, into the directory dst of the sandbox. As
// with os.CopyFS, every file is writable for its owner, and files that are executable in fsys
// stay executable. Symlinks are copied if fsys is an fs.ReadLinkFS, and refused otherwise.
func (sb *Sandbox) UploadFS(ctx context.Context, fsys fs.FS, dst string, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "upload", dst, dst, opts)
	if err != nil {
		return nil, err
	}
	return t.send(ctx, dst, func(p *archive.Packer) error { return p.FS(fsys) })
}

// UploadTar extracts an uncompressed tar archive into the directory dst of the sandbox. The
// archive need not be trusted: its entries are checked, and written anew into the archive that
// the host sends.
func (sb *Sandbox) UploadTar(ctx context.Context, r io.Reader, dst string, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "upload", dst, dst, opts)
	if err != nil {
		return nil, err
	}
	return t.send(ctx, dst, func(p *archive.Packer) error { return p.Archive(&callerReader{ctx: ctx, r: r}, true) })
}

// send sends the archive that pack writes, and has the guest unpack it at dst.
func (t *transfer) send(ctx context.Context, dst string, pack func(*archive.Packer) error) (*TransferResult, error) {
	call, err := t.sb.ch.Start(&channel.Request{Op: wire.OpUnpack, Args: &wire.Unpack{Path: []byte(dst)}})
	if err != nil {
		return nil, t.remoteError(err)
	}
	stop := context.AfterFunc(ctx, func() { call.Stream.Abort(context.Cause(ctx)) })
	defer stop()
	w := &streamWriter{w: wire.NewFrameWriter(call.Stream)}
	defer w.w.Free()
	p := archive.NewPacker(w, t.archiveOptions(ctx))
	if err = pack(p); err == nil {
		err = p.Close()
	}
	if err == nil {
		err = w.end(call.Stream)
	}
	if err != nil && w.err == nil {
		// The source failed, or ctx ended. The guest removes what it has so far and replies, but
		// the error is known already.
		call.Cancel(true)
		select {
		case <-call.Done():
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
		return nil, t.localError(err)
	}
	// If a write failed, the reply or ctx says why.
	if err := call.Await(ctx); err != nil {
		return nil, t.localError(err)
	}
	if err := call.Result(ctx, nil); err != nil {
		return nil, t.remoteError(err)
	}
	if w.err != nil {
		return nil, t.remoteError(&wire.Error{Code: wire.CodeIO, Text: "the sandbox did not read the whole archive"})
	}
	return t.finish(p.Total()), nil
}

// streamWriter writes to the call's stream and records the stream's error, so that send can tell
// it from an error of the source.
type streamWriter struct {
	w   *wire.FrameWriter
	err error
}

func (w *streamWriter) Write(p []byte) (n int, err error) {
	n, w.err = w.w.Write(p)
	return n, w.err
}

func (w *streamWriter) end(s *wire.Stream) error {
	if w.err = w.w.Flush(); w.err == nil {
		// It fails if the guest has found the archive's end and replied already.
		_ = s.CloseWrite()
	}
	return w.err
}
