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

// Upload copies a file or a directory of the host into the sandbox: src becomes dst, or
// dst/ and the last name of src where dst ends with a slash. A symlink is followed where src
// is one, and nowhere else.
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
			return nil, t.localError(invalid("it has no name to put into %s: say in full what it is to become", dst))
		}
		dst += base
	}
	return t.send(ctx, dst, func(p *archive.Packer) error { return p.Path(src) })
}

// UploadFS copies a file system, such as an embed.FS, into the directory dst of the sandbox.
// As with os.CopyFS files are writable to their owner whatever fsys says, and can be executed
// where it says so. Symlinks are kept where fsys is an fs.ReadLinkFS, and refused otherwise.
func (sb *Sandbox) UploadFS(ctx context.Context, fsys fs.FS, dst string, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "upload", dst, dst, opts)
	if err != nil {
		return nil, err
	}
	return t.send(ctx, dst, func(p *archive.Packer) error { return p.FS(fsys) })
}

// UploadTar extracts a tar archive, which is not compressed, into the directory dst of the
// sandbox. The archive may come from anywhere: its entries are checked, and those that pass
// are sent in an archive of the host's own.
func (sb *Sandbox) UploadTar(ctx context.Context, r io.Reader, dst string, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "upload", dst, dst, opts)
	if err != nil {
		return nil, err
	}
	return t.send(ctx, dst, func(p *archive.Packer) error { return p.Archive(&callerReader{ctx: ctx, r: r}, true) })
}

// send has the guest unpack at dst what pack packs.
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
		// It is the source's, or the end of ctx. The guest removes what it has so far, and
		// replies; what matters is known without it.
		call.Cancel(true)
		select {
		case <-call.Done():
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
		return nil, t.localError(err)
	}
	// A write that failed has its reason in the reply, or in ctx.
	if err := call.Await(ctx); err != nil {
		return nil, t.localError(err)
	}
	if err := call.Result(ctx, &wire.Unpacked{}); err != nil {
		return nil, t.remoteError(err)
	}
	if w.err != nil {
		return nil, t.remoteError(&wire.Error{Code: wire.CodeIO, Text: "the sandbox did not take all of it"})
	}
	return t.finish(p.Total()), nil
}

// streamWriter tells errors of the stream from those of what is written to it.
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
		// A guest that has the archive's end may have replied, and hears no more.
		_ = s.CloseWrite()
	}
	return w.err
}
