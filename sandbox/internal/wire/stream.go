package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// ErrReset is returned by Stream.Write after the other end said that it wants no more.
var ErrReset = errors.New("stream reset by the other end")

const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

var largeChunks = sync.Pool{New: func() any { return new([largeChunk]byte) }}

// chunk is a piece of received bytes, b[r:w] of it unread.
type chunk struct {
	b    []byte
	r, w int
}

// Stream carries bytes both ways, with a window for each direction. The receiver grants the
// sender credit for as many bytes as it has room for, at first a Window, and more as they are
// read: so a slow reader holds up its own sender alone, and takes bounded memory. One goroutine
// may read and one may write at a time.
type Stream struct {
	m    *Mux
	id   uint32
	sink func([]byte)

	mu   sync.Mutex
	cond sync.Cond

	// Receiving. All chunks but the last are full, so their memory never exceeds the window by
	// more than a chunk, whatever sizes the sender chooses.
	chunks       []*chunk
	filling      *chunk // the read loop is writing to it
	unread       int    // received and not yet consumed
	ungranted    int    // consumed and not yet granted again
	closed       bool   // by CloseRead: unread no longer counts what the chunks hold
	sparing      bool   // free each chunk as soon as it is read
	ended        bool   // an End frame has come
	readErr      error
	readDeadline deadline

	// Sending.
	credit        int
	writeErr      error
	writeDeadline deadline
}

// deadline is when reads or writes of a stream stop to wait.
type deadline struct {
	timer *time.Timer
	past  bool
}

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on, also those under way.
// What has arrived stays for a read after another deadline is set. The zero time is none.
func (s *Stream) SetReadDeadline(t time.Time) { s.setDeadline(&s.readDeadline, t) }

// SetWriteDeadline is SetReadDeadline for writes.
func (s *Stream) SetWriteDeadline(t time.Time) { s.setDeadline(&s.writeDeadline, t) }

func (s *Stream) setDeadline(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.past = nil, false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.past = true
		s.cond.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.timer == timer { // else a later deadline was set while this one passed
			d.past = true
			s.cond.Broadcast()
		}
	})
	d.timer = timer
}

// ID returns the stream's number.
func (s *Stream) ID() uint32 { return s.id }

// fail ends reading and writing with the given errors; nil leaves that direction as it is.
func (s *Stream) fail(read, write error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if read != nil && s.readErr == nil {
		s.readErr = read
	}
	if write != nil && s.writeErr == nil {
		s.writeErr = write
	}
	s.cond.Broadcast()
}

// Spare makes the stream hold no memory while there is nothing to read. That costs throughput,
// and is for streams that may wait in large numbers.
func (s *Stream) Spare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sparing = true
}

// end notes the other end's last byte.
func (s *Stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == nil {
		s.readErr, s.ended = io.EOF, true
	}
	s.cond.Broadcast()
}

// Ended reports whether the other end has said that no more bytes follow. If it has not, an
// io.EOF of Read means that the call has ended. For most readers that is the same: an end that
// came too early shows in the call's reply. The ends of a connection have to tell the two
// apart.
func (s *Stream) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *Stream) grant(n uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if uint64(s.credit)+uint64(n) > Window {
		return violation("credit over the window on stream %d", s.id)
	}
	s.credit += int(n)
	s.cond.Broadcast()
	return nil
}

// receive reads n bytes of payload into the stream's chunks. Only the read loop calls it, so it
// can fill a chunk without holding the lock.
func (s *Stream) receive(n int, r *Reader) error {
	s.mu.Lock()
	exceeded, closed := s.unread+n > Window, s.readErr != nil
	s.mu.Unlock()
	if exceeded {
		return violation("data over the window on stream %d", s.id)
	}
	if closed {
		return r.Discard(n)
	}
	if s.sink != nil {
		return s.receiveSink(n, r)
	}
	for n > 0 {
		c := s.lastChunk(n)
		k := min(n, len(c.b)-c.w)
		if err := r.ReadPayload(c.b[c.w : c.w+k]); err != nil {
			return err
		}
		s.mu.Lock()
		s.filling = nil
		c.w += k
		s.unread += k
		s.cond.Broadcast()
		s.mu.Unlock()
		n -= k
	}
	return nil
}

func (s *Stream) receiveSink(n int, r *Reader) error {
	buf := largeChunks.Get().(*[largeChunk]byte)
	defer largeChunks.Put(buf)
	if err := r.ReadPayload(buf[:n]); err != nil {
		return err
	}
	s.sink(buf[:n])
	s.mu.Lock()
	s.unread += n
	s.mu.Unlock()
	s.consumed(n)
	return nil
}

// lastChunk returns the chunk that takes the next of n bytes.
func (s *Stream) lastChunk(n int) *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := len(s.chunks); k > 0 && s.chunks[k-1].w < len(s.chunks[k-1].b) {
		s.filling = s.chunks[k-1]
		return s.filling
	}
	c := &chunk{}
	if n <= smallChunk {
		c.b = make([]byte, smallChunk)
	} else {
		c.b = largeChunks.Get().(*[largeChunk]byte)[:]
	}
	s.chunks = append(s.chunks, c)
	s.filling = c
	return c
}

// next waits for bytes and returns those in the first chunk.
func (s *Stream) next() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.unread == 0 && s.readErr == nil && !s.readDeadline.past {
		s.cond.Wait()
	}
	if s.readDeadline.past {
		return nil, os.ErrDeadlineExceeded
	}
	if s.unread == 0 || s.closed {
		return nil, s.readErr
	}
	c := s.chunks[0]
	return c.b[c.r:c.w], nil
}

// advance consumes n bytes of the first chunk.
func (s *Stream) advance(n int) {
	s.mu.Lock()
	c := s.chunks[0]
	c.r += n
	if c.r == len(c.b) || s.sparing && c.r == c.w && s.filling != c {
		s.chunks[0] = nil
		s.chunks = s.chunks[1:]
		if len(c.b) == largeChunk {
			largeChunks.Put((*[largeChunk]byte)(c.b))
		}
	}
	s.mu.Unlock()
	s.consumed(n)
}

// consumed grants the sender new credit once half a window has been read.
func (s *Stream) consumed(n int) {
	s.mu.Lock()
	s.unread -= n
	s.ungranted += n
	grant := 0
	if s.ungranted >= Window/2 && s.readErr == nil {
		grant, s.ungranted = s.ungranted, 0
	}
	s.mu.Unlock()
	if grant > 0 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(grant))
		// If the connection is gone, nobody needs the credit.
		_ = s.m.Send(KindCredit, s.id, b[:])
	}
}

// Read implements io.Reader. It returns io.EOF after the other end's last byte, or at the end
// of the call: see Ended.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	s.advance(n)
	return n, nil
}

// WriteTo implements io.WriterTo, without a copy of the bytes. An io.EOF of Read is no error.
func (s *Stream) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		b, err := s.next()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(b)
		total += int64(n)
		s.advance(n)
		if err != nil {
			return total, err
		}
		if n < len(b) {
			return total, io.ErrShortWrite
		}
	}
}

// CloseRead tells the other end that no more bytes are wanted, and drops those that come.
func (s *Stream) CloseRead() {
	s.mu.Lock()
	ended := s.readErr != nil
	if !ended {
		s.readErr = io.ErrClosedPipe
		s.closed, s.unread = true, 0 // the chunks go with the stream
	}
	s.cond.Broadcast()
	s.mu.Unlock()
	if !ended {
		_ = s.m.Send(KindReset, s.id, nil)
	}
}

// acquire waits until at least one byte may be sent, and takes credit for up to n.
func (s *Stream) acquire(n int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.credit == 0 && s.writeErr == nil && !s.writeDeadline.past {
		s.cond.Wait()
	}
	if s.writeDeadline.past {
		return 0, os.ErrDeadlineExceeded
	}
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	n = min(n, s.credit)
	s.credit -= n
	return n, nil
}

// Write implements io.Writer. It blocks while the other end's window is full.
func (s *Stream) Write(p []byte) (int, error) {
	buf := NewBuffer()
	defer buf.Free()
	total := 0
	for total < len(p) {
		// No more than there is credit for, so that the count is right if the write fails.
		n, err := s.acquire(min(len(p)-total, len(buf.Data())))
		if err != nil {
			return total, err
		}
		copy(buf.Data(), p[total:total+n])
		appendHeader(buf[:0:HeaderSize], KindData, s.id, n)
		if err := s.m.Frames(buf[:HeaderSize+n]); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// WriteBuffer sends the first n bytes of buf's data without copying them.
func (s *Stream) WriteBuffer(buf *Buffer, n int) error {
	for off := 0; off < n; {
		k, err := s.acquire(n - off)
		if err != nil {
			return err
		}
		// The header goes right before the bytes: into the buffer's head room, or over
		// bytes that have been sent.
		appendHeader(buf[off:off:off+HeaderSize], KindData, s.id, k)
		if err := s.m.Frames(buf[off : off+HeaderSize+k]); err != nil {
			return err
		}
		off += k
	}
	return nil
}

// WriteVia sends a frame of as many of n bytes as there is credit for. body writes it to the
// pipe itself: the header and that many bytes. If it cannot write all of them, its error ends
// the connection.
func (s *Stream) WriteVia(n int, body func(header []byte, n int) error) error {
	n, err := s.acquire(min(n, MaxData))
	if err != nil {
		return err
	}
	header := appendHeader(make([]byte, 0, HeaderSize), KindData, s.id, n)
	return s.m.Exclusive(func() error { return body(header, n) })
}

// AppendLast appends p to b as the frame of the stream's last bytes. The caller sends it together
// with other frames in one Frames. It takes at most MaxData bytes and does not wait for credit,
// so nothing may have been written to the stream before.
func (s *Stream) AppendLast(b, p []byte) []byte {
	s.mu.Lock()
	s.credit -= len(p)
	s.writeErr = io.ErrClosedPipe
	s.mu.Unlock()
	return AppendFrame(b, KindEnd, s.id, p)
}

// Abort makes reads and writes fail with err, also those under way, on this end only.
func (s *Stream) Abort(err error) { s.fail(err, err) }

// CloseWrite tells the other end that no more bytes follow.
func (s *Stream) CloseWrite() error {
	s.mu.Lock()
	err := s.writeErr
	if err == nil {
		s.writeErr = io.ErrClosedPipe
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.m.Send(KindEnd, s.id, nil)
}
