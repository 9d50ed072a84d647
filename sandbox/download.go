package sandbox

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Download copies a file or a directory of the sandbox to the host. src becomes dst or, if dst
// ends with a slash, the entry of dst with the last name of src. Whatever the sandbox sends, no
// file outside dst is made, changed or removed. If src itself is a symlink it is followed inside
// the sandbox; other symlinks are copied as symlinks. The umask of the process applies to the
// modes, and a directory stays accessible to its owner.
func (sb *Sandbox) Download(ctx context.Context, src, dst string, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "download", dst, src, opts)
	if err != nil {
		return nil, err
	}
	into := dst != "" && os.IsPathSeparator(dst[len(dst)-1])
	if dst == "" {
		return nil, t.localError(invalid("the destination is empty: write . for the current directory"))
	}
	if dst, err = filepath.Abs(dst); err != nil {
		return nil, t.localError(err)
	}
	if into {
		if !path.IsAbs(src) {
			src = path.Join(sb.workDir, src)
		}
		base := path.Base(src)
		if !filepath.IsLocal(base) {
			return nil, t.remoteError(invalid("it has no name to put into %s: write the full destination", t.local))
		}
		dst = filepath.Join(dst, base)
	}
	var u *archive.Unpacked
	err = t.receive(ctx, src, func(r io.Reader) (err error) {
		u, err = archive.Unpack(r, dst, t.archiveOptions(ctx))
		return err
	})
	if err != nil {
		if u != nil {
			u.Discard()
		}
		return nil, err
	}
	if err := u.Commit(); err != nil {
		return nil, t.localError(err)
	}
	return t.finish(u.Total()), nil
}

// DownloadTar writes a file or a directory of the sandbox to w as a tar archive. The entries are
// checked as those of Download are and written anew by the host, so the archive can be passed
// on. After an error the archive is incomplete and does not have the end of one.
func (sb *Sandbox) DownloadTar(ctx context.Context, src string, w io.Writer, opts *TransferOptions) (*TransferResult, error) {
	t, err := sb.newTransfer(ctx, "download", src, src, opts)
	if err != nil {
		return nil, err
	}
	p := archive.NewPacker(w, t.archiveOptions(ctx))
	if err := t.receive(ctx, src, func(r io.Reader) error { return p.Archive(r, false) }); err != nil {
		return nil, err
	}
	if err := p.Close(); err != nil {
		return nil, t.localError(err)
	}
	return t.finish(p.Total()), nil
}

// receive has the guest pack src, and calls take with the archive.
func (t *transfer) receive(ctx context.Context, src string, take func(io.Reader) error) error {
	m := &wire.Pack{Path: []byte(src), Skip: t.opts.Skip}
	for _, pattern := range t.opts.Exclude {
		m.Exclude = append(m.Exclude, []byte(pattern))
	}
	call, err := t.sb.ch.Start(&channel.Request{Op: wire.OpPack, Args: m})
	if err != nil {
		return t.remoteError(err)
	}
	stop := context.AfterFunc(ctx, func() { call.Stream.Abort(context.Cause(ctx)) })
	defer stop()
	err = take(call.Stream)
	call.Stream.CloseRead()
	if err == archive.ErrTruncated || err == archive.ErrEmpty {
		// The guest replies with an error, unless it violates the protocol.
		if call.Await(ctx) == nil {
			if err := call.Result(ctx, nil); err != nil {
				return t.remoteError(err)
			}
		}
	}
	if err != nil {
		call.Cancel(true)
		if broken := t.endCause(ctx); broken != nil {
			return broken
		}
		return t.localError(err)
	}
	if err := call.Await(ctx); err != nil {
		return t.localError(err)
	}
	packed := &wire.Packed{}
	if err := call.Result(ctx, packed); err != nil {
		return t.remoteError(err)
	}
	for i, err := range packed.Skipped {
		if i < maxListed && err != nil {
			t.recordSkipped(err, 0)
		}
	}
	t.result.SkippedCount += max(packed.SkippedCount, 0)
	for _, name := range packed.Changed {
		t.recordChanged(string(name))
	}
	return nil
}
