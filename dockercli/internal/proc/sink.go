package proc

import (
	"io"
	"sync"
)

// sink takes a stream: it keeps the first and the last bytes up to a cap, counts what it
// dropped in between, and hands everything on to w when there is one.
type sink struct {
	started chan struct{} // closed at the first call
	once    sync.Once
	w       io.Writer

	mu      sync.Mutex
	headCap int
	tailCap int
	head    []byte
	tail    []byte // a ring once it is full
	next    int    // where the ring's oldest byte is
	dropped int64
	err     error
}

func newSink(w io.Writer, limit int) *sink {
	if w != nil {
		limit = TailCap
	}
	return &sink{started: make(chan struct{}), w: w, headCap: limit / 2, tailCap: limit - limit/2}
}

// ReadFrom implements io.ReaderFrom so that io.Copy calls it before any byte has arrived:
// launch relies on that. It returns at the end of r.
func (s *sink) ReadFrom(r io.Reader) (n int64, err error) {
	s.once.Do(func() { close(s.started) })
	buf := make([]byte, 32<<10)
	for {
		k, err := r.Read(buf)
		n += int64(k)
		if _, werr := s.Write(buf[:k]); werr != nil {
			return n, werr
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (s *sink) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.started) })
	s.keep(p)
	if s.w == nil || len(p) == 0 {
		return len(p), nil
	}
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *sink) keep(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := min(s.headCap-len(s.head), len(p)); k > 0 {
		s.head = append(s.head, p[:k]...)
		p = p[k:]
	}
	if k := min(s.tailCap-len(s.tail), len(p)); k > 0 {
		s.tail = append(s.tail, p[:k]...)
		p = p[k:]
	}
	s.dropped += int64(len(p))
	if len(p) > s.tailCap {
		p = p[len(p)-s.tailCap:]
	}
	for len(p) > 0 {
		k := copy(s.tail[s.next:], p)
		s.next = (s.next + k) % s.tailCap
		p = p[k:]
	}
}

// bytes returns what was kept, and how many bytes are missing between head and tail.
func (s *sink) bytes() ([]byte, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]byte, 0, len(s.head)+len(s.tail))
	out = append(out, s.head...)
	out = append(out, s.tail[s.next:]...)
	out = append(out, s.tail[:s.next]...)
	return out, s.dropped
}

func (s *sink) writeErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
