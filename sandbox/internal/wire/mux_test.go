package wire

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/matryer/is"
)

func TestUnknownStreamsAreSkipped(t *testing.T) {
	is := is.New(t)
	m := NewMux(io.Discard)
	s := m.Open(2, nil)
	var b []byte
	for range 2 * Window / MaxData {
		b = AppendFrame(b, KindData, 1, make([]byte, MaxData))
	}
	b = AppendFrame(b, KindCredit, 1, []byte{255, 255, 255, 255})
	b = AppendFrame(b, KindReset, 1, nil)
	b = AppendFrame(b, KindEnd, 1, []byte("x"))
	is.NoErr(deliver(m, AppendFrame(b, KindEnd, 2, []byte("y"))))
	got, err := io.ReadAll(s)
	is.NoErr(err)
	is.Equal(string(got), "y") // what follows is found
}

func TestMuxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		m := NewMux(io.Discard)
		s := m.Open(1, nil)
		is.NoErr(deliver(m, AppendFrame(nil, KindData, 1, []byte("rest"))))
		s.credit = 0
		written := make(chan error, 1)
		go func() {
			_, err := s.Write([]byte("x"))
			written <- err
		}()
		synctest.Wait()
		m.Close(1)
		m.Close(1)
		is.Equal(<-written, ErrReset) // a writer that waits
		is.NoErr(deliver(m, AppendFrame(nil, KindData, 1, []byte("late"))))
		got, err := io.ReadAll(s)
		is.NoErr(err)
		is.Equal(string(got), "rest") // what had arrived
	})
}

func TestMuxFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		gone := errors.New("gone")
		m := NewMux(io.Discard)
		s, empty := m.Open(1, nil), m.Open(3, nil)
		is.NoErr(deliver(m, AppendFrame(nil, KindData, 1, []byte("rest"))))
		s.credit = 0
		errs := make(chan error, 2)
		go func() {
			_, err := s.Write([]byte("x"))
			errs <- err
		}()
		go func() {
			_, err := empty.Read(make([]byte, 1))
			errs <- err
		}()
		synctest.Wait()
		m.Fail(gone)
		m.Fail(errors.New("later"))
		is.Equal(<-errs, gone) // both who wait
		is.Equal(<-errs, gone)
		got, err := io.ReadAll(s)
		is.Equal(err, gone)
		is.Equal(string(got), "rest") // what had arrived, then the error
		later := m.Open(5, nil)
		_, err = later.Read(make([]byte, 1))
		is.Equal(err, gone) // a stream opened too late
		_, err = later.Write([]byte("x"))
		is.Equal(err, gone)
		is.Equal(m.Send(KindPing, 0, nil), gone)
	})
}

func TestManyStreams(t *testing.T) {
	is := is.New(t)
	const streams = 64
	a, b, end := pair(osPipe(is))
	var wg sync.WaitGroup
	for id := range uint32(streams) {
		data := noise(Window/2 + int(id)*997)
		s, echo := a.Open(id, nil), b.Open(id, nil)
		wg.Go(func() {
			_, err := echo.WriteTo(echo)
			is.NoErr(err)
			is.NoErr(echo.CloseWrite())
		})
		wg.Go(func() {
			_, err := s.Write(data)
			is.NoErr(err)
			is.NoErr(s.CloseWrite())
		})
		wg.Go(func() {
			got, err := io.ReadAll(s)
			is.NoErr(err)
			is.True(bytes.Equal(got, data)) // each stream's own bytes
		})
	}
	wg.Wait()
	is.Equal(end(), [2]error{io.EOF, io.EOF})
}

func FuzzDeliver(f *testing.F) {
	seed := AppendFrame(nil, KindData, 1, []byte("abc"))
	seed = AppendFrame(seed, KindData, 2, noise(100))
	seed = AppendFrame(seed, KindReset, 1, nil)
	seed = AppendFrame(seed, KindCredit, 2, []byte{0, 0, 0, 9})
	f.Add(AppendFrame(seed, KindEnd, 1, []byte("d")))
	f.Add(AppendFrame(nil, KindCredit, 1, []byte{255, 255, 255, 255}))
	f.Add(AppendFrame(nil, KindHello, 1, []byte("{}")))
	f.Add(appendHeader(nil, KindData, 1, MaxData))
	f.Fuzz(func(t *testing.T, in []byte) {
		is := is.New(t)
		m := NewMux(io.Discard)
		sunk := 0
		s := m.Open(1, nil)
		sink := m.Open(2, func(p []byte) { sunk += len(p) })
		m.Open(3, nil).CloseRead()
		_, err := s.Write([]byte("0123456789"))
		is.NoErr(err)
		err = deliver(m, in)
		is.True(err == nil || err == io.ErrUnexpectedEOF || isViolation(err)) // no other error
		is.True(s.held() <= Window+largeChunk)                                // bounded memory
		is.True(s.credit >= 0 && s.credit <= Window)                          // bounded credit
		is.True(sunk <= len(in) && sink.held() == 0)                          // the sink keeps nothing
		unread := s.unread
		m.Fail(io.ErrClosedPipe)
		n, err := s.WriteTo(io.Discard)
		is.True(err == nil || err == io.ErrClosedPipe) // nobody waits for ever
		is.Equal(n, int64(unread))                     // all that was accepted can be read
	})
}
