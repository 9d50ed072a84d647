package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

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

func TestDialed(t *testing.T) {
	is := is.New(t)
	for _, d := range []Dialed{{}, {Which: 1, Port: 65535}, {Which: 255, Port: 80}} {
		b := d.Encode()
		is.Equal(len(b), DialedSize)
		is.Equal(DecodeDialed([DialedSize]byte(b)), d)
	}
	is.True(bytes.Equal(Dialed{Which: 1, Port: 0x1234}.Encode(), []byte{1, 0x12, 0x34}))
}
