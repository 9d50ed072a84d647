package wire

// FrameWriter writes to a stream in full frames, whatever the sizes of the writes.
type FrameWriter struct {
	s   *Stream
	buf *Buffer
	n   int
}

// NewFrameWriter returns a writer to s. Flush it at the end, and Free it.
func NewFrameWriter(s *Stream) *FrameWriter {
	return &FrameWriter{s: s, buf: NewBuffer()}
}

// Write implements io.Writer.
func (w *FrameWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if w.n == len(w.buf.Data()) {
			if err := w.Flush(); err != nil {
				return total - len(p), err
			}
		}
		n := copy(w.buf.Data()[w.n:], p)
		w.n += n
		p = p[n:]
	}
	return total, nil
}

// Flush sends what was written so far.
func (w *FrameWriter) Flush() error {
	n := w.n
	w.n = 0
	return w.s.WriteBuffer(w.buf, n)
}

// Free gives the writer's memory back.
func (w *FrameWriter) Free() { w.buf.Free() }
