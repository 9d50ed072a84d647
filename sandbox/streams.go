package sandbox

import (
	"context"
	"io"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// callerReader reads from a reader of the caller's. It ends with ctx, and fails if there is
// never anything to read.
type callerReader struct {
	ctx   context.Context
	r     io.Reader
	empty int // reads in a row
}

func (s *callerReader) Read(p []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	const maxEmptyReads = 100 // as bufio has
	n, err := s.r.Read(p)
	if s.empty++; n > 0 {
		s.empty = 0
	}
	if err == nil && s.empty >= maxEmptyReads {
		err = io.ErrNoProgress
	}
	return n, err
}

// send copies r to a stream and closes it for writing. It returns r's error only: a write that
// fails shows in the call's reply, or in the context that ended it.
func send(to *wire.Stream, r io.Reader) error {
	buf := wire.NewBuffer()
	defer buf.Free()
	for n := 0; ; {
		m, err := r.Read(buf.Data()[n:])
		if n += m; n < len(buf.Data()) && err == nil {
			continue // small pieces would be frames of their own
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

// errWriter keeps the error of a writer, which io.Copy does not tell from a reader's.
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

// errReader keeps the error of a reader, which io.Copy does not tell from a writer's.
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
