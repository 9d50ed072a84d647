package wire

// CodeUnsafe is an entry of a tree that could do harm where it is extracted.
const CodeUnsafe Code = "unsafe"

// Pack asks for what a path names, a tree or one file, as a tar archive.
type Pack struct {
	Path    []byte
	Exclude [][]byte `json:",omitempty"` // patterns of what is left out
	// Skip leaves out what cannot be read or must not leave, and goes on.
	Skip bool `json:",omitempty"`
	// Inside is for an archive that is unpacked in a sandbox again: see Unpack.
	Inside bool `json:",omitempty"`
}

// Packed ends a Pack.
type Packed struct {
	Bytes, Entries int64
	// Skipped are the first of Left entries that were left out, and why.
	Skipped []*Error `json:",omitempty"`
	Left    int      `json:",omitempty"`
	// Changed are the first files whose contents changed while they were read.
	Changed [][]byte `json:",omitempty"`
}

// Unpack puts a tar archive, of a tree or of one file, at a path.
type Unpack struct {
	Path []byte
	// From is a file with the archive; without it the archive is on the call's stream.
	From []byte `json:",omitempty"`
	// Inside: the archive is of a sandbox, and symlinks in it may lead anywhere.
	Inside bool `json:",omitempty"`
}

// Unpacked ends an Unpack.
type Unpacked struct {
	Bytes, Entries int64
}

// FrameWriter gathers what is written to a stream in full frames.
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

// Flush sends what was written.
func (w *FrameWriter) Flush() error {
	n := w.n
	w.n = 0
	return w.s.WriteBuffer(w.buf, n)
}

// Free gives the writer's memory back.
func (w *FrameWriter) Free() { w.buf.Free() }
