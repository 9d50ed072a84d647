package wire

import (
	"encoding/binary"
	"io"
	"sync"
)

// Mux is the part of a connection that both ends share: the streams, their windows and the one
// writer. Each end has its own read loop, which hands the frames of streams to Deliver.
type Mux struct {
	*Writer

	mu      sync.Mutex
	streams map[uint32]*Stream
	err     error
}

// NewMux returns a Mux that writes its frames to w.
func NewMux(w io.Writer) *Mux {
	return &Mux{Writer: NewWriter(w), streams: make(map[uint32]*Stream)}
}

// Open registers a stream. If sink is not nil, the read loop hands it what arrives, so it must
// not block; Read and WriteTo then return nothing.
func (m *Mux) Open(id uint32, sink func([]byte)) *Stream {
	s := &Stream{m: m, id: id, sink: sink, credit: Window}
	s.cond.L = &s.mu
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		s.readErr, s.writeErr = m.err, m.err
		return s
	}
	m.streams[id] = s
	return s
}

// Close removes a stream at the end of its call. Readers get io.EOF after what has arrived,
// writers get ErrReset, and frames that still come for it are ignored.
func (m *Mux) Close(id uint32) {
	m.mu.Lock()
	s := m.streams[id]
	delete(m.streams, id)
	m.mu.Unlock()
	if s != nil {
		s.fail(io.EOF, ErrReset)
	}
}

// Fail ends all streams and later ones with err.
func (m *Mux) Fail(err error) {
	m.Writer.Fail(err)
	m.mu.Lock()
	if m.err == nil {
		m.err = err
	}
	streams := m.streams
	m.streams = make(map[uint32]*Stream)
	m.mu.Unlock()
	for _, s := range streams {
		s.fail(err, err)
	}
}

// Deliver takes a Data, End, Credit or Reset frame from r. It skips frames of streams that are
// no longer open: their sender may not know yet.
func (m *Mux) Deliver(h Header, r *Reader) error {
	m.mu.Lock()
	s := m.streams[h.Stream]
	m.mu.Unlock()
	if s == nil {
		return r.Discard(h.Len)
	}
	switch h.Kind {
	case KindData, KindEnd:
		if err := s.receive(h.Len, r); err != nil {
			return err
		}
		if h.Kind == KindEnd {
			s.end()
		}
	case KindCredit:
		b, err := r.Payload(h)
		if err != nil {
			return err
		}
		if len(b) != 4 {
			return violation("credit of %d bytes", len(b))
		}
		return s.grant(binary.BigEndian.Uint32(b))
	case KindReset:
		s.fail(nil, ErrReset)
	default:
		return violation("kind %d is no frame of a stream", h.Kind)
	}
	return nil
}
