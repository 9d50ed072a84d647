package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

// pair connects two ends; each has a read loop that ends with the pipes. end closes them,
// waits for the loops and returns why they ended.
func pair(pipe func() (io.ReadCloser, io.WriteCloser)) (a, b *Mux, end func() [2]error) {
	ar, bw := pipe()
	br, aw := pipe()
	a, b = NewMux(aw), NewMux(bw)
	var loops sync.WaitGroup
	var errs [2]error
	for i, end := range []struct {
		m *Mux
		r io.ReadCloser
	}{{a, ar}, {b, br}} {
		loops.Go(func() {
			r := NewReader(end.r)
			for {
				h, err := r.Next()
				if err == nil {
					err = end.m.Deliver(h, r)
				}
				if err != nil {
					errs[i] = err
					end.m.Fail(err)
					end.r.Close()
					return
				}
			}
		})
	}
	return a, b, func() [2]error {
		aw.Close()
		bw.Close()
		loops.Wait()
		return errs
	}
}

func memory() (io.ReadCloser, io.WriteCloser) { return io.Pipe() }

// osPipe makes a pipe of the kernel, which holds 64 KiB.
func osPipe(is *is.I) func() (io.ReadCloser, io.WriteCloser) {
	return func() (io.ReadCloser, io.WriteCloser) {
		r, w, err := os.Pipe()
		is.NoErr(err)
		return r, w
	}
}

// deliver hands frames to m as its read loop would.
func deliver(m *Mux, frames []byte) error {
	r := NewReader(bytes.NewReader(frames))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = m.Deliver(h, r)
		}
		if err != nil {
			return err
		}
	}
}

// held returns how many bytes of memory s takes for what it has received.
func (s *Stream) held() (n int) {
	for _, c := range s.chunks {
		n += len(c.b)
	}
	return n
}

func TestWindowHoldsSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		a, b, end := pair(memory)
		from, to := a.Open(2, nil), b.Open(2, nil)
		data := noise(3*Window + 77)
		done := make(chan error, 1)
		go func() {
			_, err := from.Write(data)
			done <- errors.Join(err, from.CloseWrite())
		}()
		synctest.Wait()
		is.Equal(to.unread, Window) // the sender stops at the window
		is.Equal(len(done), 0)
		got := make([]byte, Window/2)
		_, err := io.ReadFull(to, got)
		is.NoErr(err)
		synctest.Wait()
		is.Equal(to.unread, Window) // and goes on when half of it was read
		rest, err := io.ReadAll(to)
		is.NoErr(err)
		is.NoErr(<-done)
		is.True(bytes.Equal(append(got, rest...), data)) // everything, in order
		is.Equal(end(), [2]error{io.EOF, io.EOF})
	})
}

func TestSlowReaderHoldsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		a, b, end := pair(memory)
		slow, fast := a.Open(2, nil), a.Open(4, nil)
		b.Open(2, nil)
		to := b.Open(4, nil)
		done := make(chan error, 1)
		go func() {
			_, err := slow.Write(noise(2 * Window))
			done <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := fast.Write(noise(2 * Window))
			is.NoErr(err)
			is.NoErr(fast.CloseWrite())
		})
		got, err := io.ReadAll(to)
		is.NoErr(err)
		is.True(bytes.Equal(got, noise(2*Window))) // the other stream moves
		wg.Wait()
		is.Equal(len(done), 0) // while the first one waits
		a.Fail(io.ErrClosedPipe)
		is.Equal(<-done, io.ErrClosedPipe)
		end()
	})
}

func TestWindowIsEnforced(t *testing.T) {
	full := func() []byte {
		var b []byte
		for range Window / MaxData {
			b = AppendFrame(b, KindData, 1, make([]byte, MaxData))
		}
		return b
	}()
	t.Run("data", func(t *testing.T) {
		for _, kind := range []Kind{KindData, KindEnd} {
			is := is.New(t)
			m := NewMux(io.Discard)
			s := m.Open(1, nil)
			is.NoErr(deliver(m, full))                                             // a full window
			is.True(isViolation(deliver(m, AppendFrame(nil, kind, 1, []byte{0})))) // one byte more
			is.Equal(s.unread, Window)
		}
	})
	t.Run("credit", func(t *testing.T) {
		is := is.New(t)
		credit := func(n uint32) []byte {
			return AppendFrame(nil, KindCredit, 1, binary.BigEndian.AppendUint32(nil, n))
		}
		m := NewMux(io.Discard)
		s := m.Open(1, nil)
		is.NoErr(deliver(m, credit(0)))
		is.True(isViolation(deliver(m, credit(1)))) // nothing was sent yet
		_, err := s.Write(noise(10))
		is.NoErr(err)
		is.True(isViolation(deliver(m, credit(11))))      // more than was sent
		is.True(isViolation(deliver(m, credit(1<<32-1)))) // no overflow
		is.NoErr(deliver(m, credit(10)))
		is.Equal(s.credit, Window)
	})
	t.Run("shape", func(t *testing.T) {
		is := is.New(t)
		m := NewMux(io.Discard)
		m.Open(1, nil)
		for n := range 4 {
			is.True(isViolation(deliver(m, AppendFrame(nil, KindCredit, 1, make([]byte, n))))) // a short credit
		}
		is.True(isViolation(deliver(m, AppendFrame(nil, KindReply, 1, nil)))) // no frame of a stream
	})
}

func TestFloodOfSmallFrames(t *testing.T) {
	for _, size := range []int{1, 100, 4095, smallChunk, smallChunk + 1, MaxData - 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			is := is.New(t)
			m := NewMux(io.Discard)
			s := m.Open(1, nil)
			data := noise(min(Window/size, MaxData) * size)
			var b []byte
			for p := data; len(p) > 0; p = p[size:] {
				b = AppendFrame(b, KindData, 1, p[:size])
			}
			is.NoErr(deliver(m, b))
			is.Equal(s.unread, len(data))
			is.True(s.held() <= len(data)+largeChunk) // no more memory than bytes and a chunk
			m.Close(1)
			got, err := io.ReadAll(s)
			is.NoErr(err)
			is.True(bytes.Equal(got, data)) // in order
		})
	}
}

func TestEnd(t *testing.T) {
	is := is.New(t)
	m := NewMux(io.Discard)
	s := m.Open(1, nil)
	b := AppendFrame(nil, KindData, 1, []byte("ab"))
	b = AppendFrame(b, KindEnd, 1, []byte("c"))
	is.NoErr(deliver(m, AppendFrame(b, KindData, 1, []byte("late"))))
	n, err := s.Read(nil)
	is.Equal(n, 0)
	is.NoErr(err) // no bytes wanted, no error
	got := make([]byte, 2)
	n, err = s.Read(got)
	is.Equal(string(got[:n]), "ab")
	is.NoErr(err)
	n, err = s.Read(got)
	is.Equal(string(got[:n]), "c") // the bytes of the end itself
	is.NoErr(err)
	for range 2 {
		n, err = s.Read(got)
		is.Equal(n, 0)
		is.Equal(err, io.EOF) // what came after the end is dropped
	}
	_, err = s.Write([]byte("x"))
	is.NoErr(err) // the other direction goes on
}

func TestCloseWrite(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	s := NewMux(&out).Open(7, nil)
	_, err := s.Write([]byte("ab"))
	is.NoErr(err)
	is.NoErr(s.CloseWrite())
	is.Equal(s.CloseWrite(), io.ErrClosedPipe)
	_, err = s.Write([]byte("c"))
	is.Equal(err, io.ErrClosedPipe)
	h, _ := frames(is, out.Bytes())
	is.Equal(h, []Header{{2, KindData, 7}, {0, KindEnd, 7}}) // one end, nothing after it
}

func TestCloseRead(t *testing.T) {
	t.Run("resets the other end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			a, b, end := pair(memory)
			from, to := a.Open(2, nil), b.Open(2, nil)
			done := make(chan error, 1)
			go func() {
				_, err := from.Write(noise(2 * Window))
				done <- err
			}()
			synctest.Wait() // the sender waits for credit
			to.CloseRead()
			to.CloseRead()
			is.Equal(<-done, ErrReset)
			_, err := from.Write([]byte("x"))
			is.Equal(err, ErrReset)
			is.Equal(from.CloseWrite(), ErrReset)
			_, err = to.Read(make([]byte, 1))
			is.Equal(err, io.ErrClosedPipe) // this end reads no more
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := to.Write([]byte("back"))
				is.NoErr(err)
				is.NoErr(to.CloseWrite())
			})
			got, err := io.ReadAll(from)
			is.NoErr(err)
			is.Equal(string(got), "back") // the other direction is left open
			wg.Wait()
			is.Equal(end(), [2]error{io.EOF, io.EOF})
		})
	})
	t.Run("while a reader has bytes in hand", func(t *testing.T) {
		for _, n := range []int{1, smallChunk, largeChunk, largeChunk + 1} {
			is := is.New(t)
			m := NewMux(io.Discard)
			s := m.Open(1, nil)
			var b []byte
			for p := noise(n); len(p) > 0; p = p[min(len(p), MaxData):] {
				b = AppendFrame(b, KindData, 1, p[:min(len(p), MaxData)])
			}
			is.NoErr(deliver(m, b))
			g := newGate()
			done := make(chan error, 1)
			go func() {
				_, err := s.WriteTo(g)
				done <- err
			}()
			<-g.entered
			s.CloseRead()
			g.open()
			is.Equal(<-done, io.ErrClosedPipe) // the reader ends
			got, err := s.Read(make([]byte, 1))
			is.Equal(got, 0)
			is.Equal(err, io.ErrClosedPipe) // and reads no more
		}
	})
	t.Run("while a frame arrives", func(t *testing.T) {
		is := is.New(t)
		m := NewMux(io.Discard)
		s := m.Open(1, nil)
		pr, pw := io.Pipe()
		done := make(chan error, 1)
		go func() {
			r := NewReader(pr)
			h, err := r.Next()
			if err == nil {
				err = m.Deliver(h, r)
			}
			done <- err
		}()
		frame := AppendFrame(nil, KindData, 1, noise(100))
		for _, part := range [][]byte{frame[:50], frame[50:]} {
			_, err := pw.Write(part)
			is.NoErr(err)
			s.CloseRead()
		}
		is.NoErr(<-done)
		n, err := s.Read(make([]byte, 1))
		is.Equal(n, 0) // the rest of the frame is not handed out
		is.Equal(err, io.ErrClosedPipe)
	})
	t.Run("drops what comes", func(t *testing.T) {
		is := is.New(t)
		var out bytes.Buffer
		m := NewMux(&out)
		s := m.Open(1, nil)
		s.CloseRead()
		var b []byte
		for range Window / MaxData {
			b = AppendFrame(b, KindData, 1, make([]byte, MaxData))
		}
		is.NoErr(deliver(m, AppendFrame(b, KindEnd, 1, nil)))
		is.Equal(s.held(), 0) // nothing is kept
		h, _ := frames(is, out.Bytes())
		is.Equal(h, []Header{{0, KindReset, 1}}) // one reset, no credit
	})
	t.Run("after the end", func(t *testing.T) {
		is := is.New(t)
		var out bytes.Buffer
		m := NewMux(&out)
		s := m.Open(1, nil)
		is.NoErr(deliver(m, AppendFrame(nil, KindEnd, 1, []byte("x"))))
		s.CloseRead()
		is.Equal(out.Len(), 0) // nobody is left to reset
	})
}

func TestAppendLast(t *testing.T) {
	for _, n := range []int{0, 1, MaxData} {
		is := is.New(t)
		a, b, end := pair(osPipe(is))
		from, to := a.Open(2, nil), b.Open(2, nil)
		is.NoErr(a.Frames(from.AppendLast(nil, noise(n))))
		got, err := io.ReadAll(to)
		is.NoErr(err)
		is.True(bytes.Equal(got, noise(n)))
		_, err = from.Write([]byte("x"))
		is.Equal(err, io.ErrClosedPipe) // those were the last
		is.Equal(from.CloseWrite(), io.ErrClosedPipe)
		is.Equal(end(), [2]error{io.EOF, io.EOF})
	}
}

// The header of a second frame overwrites bytes of the first: none may be lost.
func TestWriteBufferFraming(t *testing.T) {
	most := len(NewBuffer().Data())
	for _, n := range []int{0, 1, 2, 8, 9, 10, 17, 18, 19, 1000, most - 1, most} {
		for _, credit := range []int{1, 2, 8, 9, 10, 999, most - 1, most, Window} {
			is := is.New(t)
			var out bytes.Buffer
			s := NewMux(&out).Open(5, nil)
			s.credit = credit
			buf := NewBuffer()
			copy(buf.Data(), noise(n))
			done := make(chan error, 1)
			go func() { done <- s.WriteBuffer(buf, n) }()
			if n > credit {
				is.NoErr(s.grant(uint32(n - credit)))
			}
			is.NoErr(<-done)
			h, p := frames(is, out.Bytes())
			is.True(bytes.Equal(bytes.Join(p, nil), noise(n))) // every byte, in order
			is.True(len(h) <= 2)                               // no more frames than credits
			for _, h := range h {
				is.Equal(h.Kind, KindData)
				is.Equal(h.Stream, uint32(5))
				is.True(h.Len > 0) // no empty frame
			}
			is.Equal(s.credit, max(credit, n)-n) // all paid for
			buf.Free()
		}
	}
}

func TestWriteBufferByteByByte(t *testing.T) {
	is := is.New(t)
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := NewMux(&out).Open(5, nil)
		s.credit = 0
		buf := NewBuffer()
		copy(buf.Data(), noise(40))
		done := make(chan error, 1)
		go func() { done <- s.WriteBuffer(buf, 40) }()
		for range 40 {
			synctest.Wait()
			is.NoErr(s.grant(1))
		}
		is.NoErr(<-done)
		h, p := frames(is, out.Bytes())
		is.Equal(len(h), 40) // a frame for each credit
		is.True(bytes.Equal(bytes.Join(p, nil), noise(40)))
	})
}

func TestSink(t *testing.T) {
	is := is.New(t)
	a, b, end := pair(osPipe(is))
	var got []byte
	from := a.Open(2, nil)
	to := b.Open(2, func(p []byte) { got = append(got, p...) })
	data := noise(4*Window + 5)
	_, err := from.Write(data)
	is.NoErr(err)
	is.NoErr(from.CloseWrite())
	n, err := to.Read(make([]byte, 1))
	is.Equal(n, 0) // the sink has it all
	is.Equal(err, io.EOF)
	is.True(bytes.Equal(got, data)) // in order, with credit granted on the way
	is.Equal(end(), [2]error{io.EOF, io.EOF})
}

func TestAbort(t *testing.T) {
	is := is.New(t)
	stop := errors.New("stop")
	var out bytes.Buffer
	m := NewMux(&out)
	s := m.Open(1, nil)
	read, written := make(chan error, 1), make(chan error, 1)
	s.credit = 0
	go func() {
		_, err := s.WriteTo(io.Discard)
		read <- err
	}()
	go func() {
		_, err := s.Write([]byte("x"))
		written <- err
	}()
	s.Abort(stop)
	is.Equal(<-read, stop)
	is.Equal(<-written, stop)
	is.Equal(s.CloseWrite(), stop)
	is.NoErr(deliver(m, AppendFrame(nil, KindData, 1, []byte("late"))))
	is.Equal(s.held(), 0)  // what comes is dropped
	is.Equal(out.Len(), 0) // and the other end is not told
}

func TestWriteTo(t *testing.T) {
	full := func(is *is.I) *Stream {
		m := NewMux(io.Discard)
		s := m.Open(1, nil)
		is.NoErr(deliver(m, AppendFrame(nil, KindEnd, 1, noise(100))))
		return s
	}
	t.Run("a writer that fails", func(t *testing.T) {
		is := is.New(t)
		pr, pw := io.Pipe()
		pr.Close()
		n, err := full(is).WriteTo(pw)
		is.Equal(n, int64(0))
		is.Equal(err, io.ErrClosedPipe)
	})
	t.Run("a writer that takes less", func(t *testing.T) {
		is := is.New(t)
		n, err := full(is).WriteTo(short{})
		is.Equal(n, int64(1))
		is.Equal(err, io.ErrShortWrite)
	})
}

type short struct{}

func (short) Write([]byte) (int, error) { return 1, nil }

// However the bytes are cut, Read and WriteTo give the same.
func TestRandomChunks(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			is := is.New(t)
			size := func(r *rand.Rand) int { // small, around the chunks, and large
				return []int{1 + r.IntN(20), smallChunk - 2 + r.IntN(5), 1 + r.IntN(2*MaxData)}[r.IntN(3)]
			}
			a, b, end := pair(osPipe(is))
			data := noise(2*Window + int(seed)*1001)
			s0, s1 := b.Open(0, nil), b.Open(1, nil)
			var wg sync.WaitGroup
			for id := range uint32(2) {
				from := a.Open(id, nil)
				wg.Go(func() {
					r := rand.New(rand.NewPCG(seed, 1))
					for p := data; len(p) > 0; {
						n := min(len(p), size(r))
						_, err := from.Write(p[:n])
						is.NoErr(err)
						p = p[n:]
					}
					is.NoErr(from.CloseWrite())
				})
			}
			var read, copied bytes.Buffer
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, 2))
				for {
					p := make([]byte, size(r))
					n, err := s0.Read(p)
					read.Write(p[:n])
					if err == io.EOF {
						return
					}
					is.NoErr(err)
				}
			})
			wg.Go(func() {
				n, err := s1.WriteTo(&copied)
				is.NoErr(err)
				is.Equal(n, int64(len(data)))
			})
			wg.Wait()
			is.True(bytes.Equal(read.Bytes(), data))
			is.True(bytes.Equal(copied.Bytes(), data))
			is.Equal(end(), [2]error{io.EOF, io.EOF})
		})
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		a, b, end := pair(memory)
		from, to := a.Open(1, nil), b.Open(1, nil)
		buf := make([]byte, 10)

		start := time.Now()
		from.SetReadDeadline(start.Add(time.Second))
		_, err := from.Read(buf)
		is.Equal(err, os.ErrDeadlineExceeded)
		is.Equal(time.Since(start), time.Second)
		_, err = to.Write([]byte("kept"))
		is.NoErr(err)
		synctest.Wait()
		_, err = from.Read(buf)
		is.Equal(err, os.ErrDeadlineExceeded) // over, whatever is there
		from.SetReadDeadline(time.Time{})
		n, err := from.Read(buf)
		is.NoErr(err)
		is.Equal(string(buf[:n]), "kept")

		// A later one counts, also for who waits already.
		from.SetReadDeadline(time.Now().Add(time.Second))
		start = time.Now()
		go func() {
			time.Sleep(time.Second / 2)
			from.SetReadDeadline(start.Add(3 * time.Second))
		}()
		_, err = from.Read(buf)
		is.Equal(err, os.ErrDeadlineExceeded)
		is.Equal(time.Since(start), 3*time.Second)

		// Of a write cut short the count is what the other end will get.
		start = time.Now()
		to.SetWriteDeadline(start.Add(time.Second))
		sent, err := to.Write(make([]byte, 3*Window/2))
		is.Equal(err, os.ErrDeadlineExceeded)
		is.Equal(time.Since(start), time.Second)
		to.SetWriteDeadline(time.Time{})
		is.NoErr(to.CloseWrite())
		from.SetReadDeadline(time.Time{})
		got, err := io.ReadAll(from)
		is.NoErr(err)
		is.Equal(len(got), sent)
		end()
	})
}

func TestEnded(t *testing.T) {
	is := is.New(t)
	m := NewMux(io.Discard)
	s, other := m.Open(1, nil), m.Open(2, nil)
	is.True(!s.Ended())
	is.NoErr(deliver(m, AppendFrame(nil, KindEnd, 1, []byte("last"))))
	is.True(s.Ended())
	m.Close(2)
	_, err := other.Read(make([]byte, 1))
	is.Equal(err, io.EOF)
	is.True(!other.Ended()) // the call has, and its other end said nothing
	s.Abort(errors.New("late"))
	got, err := io.ReadAll(s)
	is.NoErr(err)
	is.Equal(string(got), "last")
}

// Thousands of connections may wait at once.
func TestSparingStream(t *testing.T) {
	is := is.New(t)
	m := NewMux(io.Discard)
	s := m.Open(1, nil)
	s.Spare()
	buf := make([]byte, MaxData)
	for range 3 {
		is.NoErr(deliver(m, AppendFrame(nil, KindData, 1, make([]byte, 10_000))))
		is.Equal(s.held(), largeChunk)
		_, err := io.ReadFull(s, buf[:9_999])
		is.NoErr(err)
		is.Equal(s.held(), largeChunk)
		_, err = io.ReadFull(s, buf[:1])
		is.NoErr(err)
		is.Equal(s.held(), 0)
		is.NoErr(deliver(m, AppendFrame(nil, KindData, 1, []byte("small"))))
		is.Equal(s.held(), smallChunk)
		_, err = io.ReadFull(s, buf[:5])
		is.NoErr(err)
		is.Equal(s.held(), 0)
	}
}
