package archive

import (
	"archive/tar"
	"io"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// reader reads an archive, and returns the entries that pass.
type reader struct {
	*work
	m      meter
	tr     *tar.Reader
	unread int64 // bytes of the entry's contents
}

func newReader(r io.Reader, w *work) *reader {
	rd := &reader{work: w, m: meter{r: r}}
	rd.tr = tar.NewReader(&rd.m)
	return rd
}

// next returns the header of the next entry that passes, with a clean name, and io.EOF after
// the last.
func (r *reader) next() (*tar.Header, error) {
	for {
		r.m.remaining = r.unread + headerRoom
		h, err := r.tr.Next()
		if err == io.EOF {
			return nil, err
		}
		if err != nil && err != tar.ErrInsecurePath {
			return nil, r.failure("", err)
		}
		r.unread = h.Size
		if h.Typeflag == tar.TypeXGlobalHeader {
			// git archive begins with one. Nothing in it is used, but an archive must not
			// consist of them without end.
			if err := r.count(h.Name); err != nil {
				return nil, err
			}
			continue
		}
		if ok, err := r.admit(h); ok || err != nil {
			return h, err
		}
	}
}

// contents hands the contents of a file on, piece by piece.
func (r *reader) contents(h *tar.Header, to func(name string, data []byte) error) error {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	r.m.remaining, r.unread = h.Size, 0
	for remaining := h.Size; remaining > 0; {
		data := r.buf[:min(remaining, bufferSize)]
		if _, err := io.ReadFull(r.tr, data); err != nil {
			return r.failure(h.Name, err)
		}
		if err := to(h.Name, data); err != nil {
			return err
		}
		remaining -= int64(len(data))
	}
	return nil
}

// failure returns why an archive could not be read on.
func (r *reader) failure(name string, err error) error {
	switch {
	case r.m.err != nil:
		return r.m.err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return ErrTruncated
	}
	return &wire.Error{Code: wire.CodeInvalid, Name: clip(name), Text: "the archive is damaged: " + err.Error()}
}

// meter bounds how much of an archive is read without coming to an entry.
type meter struct {
	r         io.Reader
	remaining int64
	err       error // of r, other than its end
}

func (m *meter) Read(p []byte) (int, error) {
	if m.remaining <= 0 {
		m.err = errHeader
		return 0, m.err
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.remaining)])
	m.remaining -= int64(n)
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}
