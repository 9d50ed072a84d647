package sandbox

import (
	"context"
	"io"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// callerReader reads from a reader of the caller. It fails once ctx has ended, and if the
// reader returns neither bytes nor an error again and again.
type callerReader struct {
	ctx   context.Context
	r     io.Reader
	empty int // reads in a row that returned nothing
}

func (s *callerReader) Read(p []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	const maxEmptyReads = 100 // the same as in package bufio
	n, err := s.r.Read(p)
	if s.empty++; n > 0 {
		s.empty = 0
	}
	if err == nil && s.empty >= maxEmptyReads {
		err = io.ErrNoProgress
	}
	return n, err
}

// send copies r to a stream and closes it for writing. It returns r's error only: the call's
// reply, or the context that ended the call, says why a write failed.
func send(to *wire.Stream, r io.Reader) error {
	buf := wire.NewBuffer()
	defer buf.Free()
	for n := 0; ; {
		m, err := r.Read(buf.Data()[n:])
		if n += m; n < len(buf.Data()) && err == nil {
			continue // fill the buffer: each write is a frame
		}
		if n > 0 && to.WriteBuffer(buf, n) != nil {
			return nil
		}
		n = 0
		if err == io.EOF {
			_ = to.CloseWrite()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errWriter records the error of a writer: io.Copy alone does not say whether its reader or its
// writer failed.
type errWriter struct {
	w   io.Writer
	err error
}

func (n *errWriter) Write(p []byte) (int, error) {
	k, err := n.w.Write(p)
	if err != nil {
		n.err = err
	}
	return k, err
}

// errReader records the error of a reader: io.Copy alone does not say whether its reader or its
// writer failed.
type errReader struct {
	r   io.Reader
	err error
}

func (n *errReader) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}
