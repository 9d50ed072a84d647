package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/matryer/is"
)

// noise returns n bytes. If a piece of them is missing, doubled or moved, it shows.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func isViolation(err error) bool {
	var e *ProtocolError
	return errors.As(err, &e) && e.Reason != ""
}

func TestFrameRoundTrip(t *testing.T) {
	for kind := KindHello; kind < kindEnd; kind++ {
		for _, n := range []int{0, 1, MaxData, MaxControl} {
			if n > kind.limit() {
				continue
			}
			t.Run(fmt.Sprintf("kind %d, %d bytes", kind, n), func(t *testing.T) {
				is := is.New(t)
				payload := noise(n)
				b := AppendFrame([]byte("x"), kind, 1<<31+7, payload)
				b = AppendFrame(b[1:], KindPing, 0, nil)
				r := NewReader(bytes.NewReader(b))
				h, err := r.Next()
				is.NoErr(err)
				is.Equal(h, Header{Len: n, Kind: kind, Stream: 1<<31 + 7}) // header
				got, err := r.Payload(h)
				is.NoErr(err)
				is.True(bytes.Equal(got, payload)) // payload
				h, err = r.Next()
				is.NoErr(err)
				is.Equal(h, Header{Kind: KindPing}) // the next frame begins where the first ends
				_, err = r.Next()
				is.Equal(err, io.EOF) // end between frames
			})
		}
	}
}

func TestHeaderLayout(t *testing.T) {
	is := is.New(t)
	got := AppendFrame(nil, KindData, 0x01020304, []byte("ab"))
	is.Equal(got, []byte{0, 0, 0, 2, 4, 1, 2, 3, 4, 'a', 'b'}) // the bytes both ends agree on
}

func TestRefusedHeaders(t *testing.T) {
	header := func(n uint32, kind Kind) []byte {
		b := binary.BigEndian.AppendUint32(nil, n)
		return append(b, byte(kind), 0, 0, 0, 1)
	}
	refused := map[string][]byte{
		"kind 0":        header(0, 0),
		"first unknown": header(0, kindEnd),
		"kind 255":      header(0, 255),
		"text":          []byte("exec format error\n"),
	}
	for kind := KindHello; kind < kindEnd; kind++ {
		refused[fmt.Sprintf("kind %d one over", kind)] = header(uint32(kind.limit()+1), kind)
		refused[fmt.Sprintf("kind %d, 2 GiB", kind)] = header(1<<31, kind)
		refused[fmt.Sprintf("kind %d, 4 GiB", kind)] = header(1<<32-1, kind)
	}
	for name, b := range refused {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := NewReader(bytes.NewReader(b)).Next()
			is.True(isViolation(err)) // a *ProtocolError with a reason
		})
	}
}

func TestTruncated(t *testing.T) {
	frame := AppendFrame(nil, KindReply, 3, []byte("0123456789"))
	for n := 1; n < len(frame); n++ {
		is := is.New(t)
		r := NewReader(bytes.NewReader(frame[:n]))
		h, err := r.Next()
		if n >= HeaderSize {
			is.NoErr(err) // the header is whole
			_, err = r.Payload(h)
		}
		is.Equal(err, io.ErrUnexpectedEOF) // cut inside a frame
		if n >= HeaderSize {
			r := NewReader(bytes.NewReader(frame[:n]))
			h, err := r.Next()
			is.NoErr(err)
			is.Equal(r.Discard(h.Len), io.ErrUnexpectedEOF) // cut while it is skipped
		}
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	is := is.New(t)
	broken := errors.New("broken")
	pr, pw := io.Pipe()
	pw.CloseWithError(broken)
	_, err := NewReader(pr).Next()
	is.Equal(err, broken) // what the pipe said
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestPayloadGrowsWithWhatArrives(t *testing.T) {
	is := is.New(t)
	b := appendHeader(nil, KindReply, 1, MaxControl)
	b = append(b, "ten bytes."...)
	r := NewReader(bytes.NewReader(b))
	h, err := r.Next()
	is.NoErr(err)
	n := allocated(func() { _, err = r.Payload(h) })
	is.Equal(err, io.ErrUnexpectedEOF) // a claim of 4 MiB with 10 bytes behind it
	is.True(n < 512<<10)               // is not believed
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendFrame(nil, KindHello, 0, []byte("{}")))
	f.Add(AppendFrame(AppendFrame(nil, KindData, 1, []byte("abc")), KindEnd, 1, nil))
	f.Add(appendHeader(nil, KindReply, 1, MaxControl))
	f.Add(appendHeader(nil, KindCredit, 1, 5))
	f.Add([]byte("docker: Error response from daemon"))
	f.Fuzz(func(t *testing.T, in []byte) {
		is := is.New(t)
		r := NewReader(bytes.NewReader(in))
		for rest := in; ; {
			h, err := r.Next()
			if err == nil {
				is.True(h.Kind > 0 && h.Kind < kindEnd)        // a kind there is
				is.True(h.Len >= 0 && h.Len <= h.Kind.limit()) // within its limit
				is.True(len(rest) >= HeaderSize)               // no frame out of nothing
				var payload []byte
				if payload, err = r.Payload(h); err == nil {
					frame := AppendFrame(nil, h.Kind, h.Stream, payload)
					is.True(bytes.HasPrefix(rest, frame)) // encodes to what was read
					rest = rest[len(frame):]
					continue
				}
			}
			if err == io.EOF {
				is.Equal(len(rest), 0) // nothing left
			} else {
				is.True(err == io.ErrUnexpectedEOF || isViolation(err)) // no other error
			}
			return
		}
	})
}
