package proc

import (
	"io"
	"sync"
)

// sink takes a stream: it keeps the first and the last bytes, counts the bytes that it drops in
// between, and passes all of them on to w, if there is one.
type sink struct {
	started chan struct{} // closed at the first call
	once    sync.Once
	w       io.Writer

	mu      sync.Mutex
	maxHead int
	maxTail int
	head    []byte
	tail    []byte // a ring when it is full
	next    int    // the index of the oldest byte in the ring
	dropped int64
	err     error
}

// newSink returns a sink that keeps size bytes, or MaxMessage bytes if it has a writer.
func newSink(w io.Writer, size int) *sink {
	if w != nil {
		size = MaxMessage
	}
	return &sink{started: make(chan struct{}), w: w, maxHead: size / 2, maxTail: size - size/2}
}

// ReadFrom implements io.ReaderFrom. Because of it, io.Copy calls the sink before any byte has
// arrived, and launch relies on that call. It returns at the end of r.
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
	if k := min(s.maxHead-len(s.head), len(p)); k > 0 {
		s.head = append(s.head, p[:k]...)
		p = p[k:]
	}
	if k := min(s.maxTail-len(s.tail), len(p)); k > 0 {
		s.tail = append(s.tail, p[:k]...)
		p = p[k:]
	}
	s.dropped += int64(len(p))
	if len(p) > s.maxTail {
		p = p[len(p)-s.maxTail:]
	}
	for len(p) > 0 {
		k := copy(s.tail[s.next:], p)
		s.next = (s.next + k) % s.maxTail
		p = p[k:]
	}
}

// bytes returns the bytes that were kept, and how many are missing between head and tail.
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
