package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// The version of the protocol. Ends of different Major refuse each other; a higher Minor
// only adds operations, which an older guest answers with CodeUnsupported.
const (
	Major = 2
	Minor = 0
)

const (
	// HeaderSize is the length of a frame's header in bytes.
	HeaderSize = 9
	// MaxData is the largest payload of a data frame in bytes.
	MaxData = 64 << 10
	// MaxControl is the largest payload of a control frame in bytes. It has room for the
	// 2 MiB of arguments and environment that Linux lets a program start with.
	MaxControl = 4 << 20
	// Window is how many unread bytes each direction of a stream may have in flight. That is
	// 14 frames of a Buffer, which with their headers fit a pipe of 1 MiB. The writer then
	// waits for credit, which comes for many frames at once, and not for each free page.
	Window = 896 << 10
)

// Kind says what a frame is.
type Kind byte

// The kinds of frames. The stream id of Hello, Ping and Pong is 0.
const (
	KindHello  Kind = iota + 1 // JSON HostHello or GuestHello: the first frame of each end
	KindCall                   // host to guest: one byte Op, then JSON arguments; opens the stream
	KindReply                  // guest to host: one byte status, then JSON; ends the call and its streams
	KindData                   // bytes of a stream
	KindEnd                    // no more bytes of the stream in this direction; may carry the last ones
	KindCredit                 // uint32: that many more bytes may be sent
	KindReset                  // the receiver wants no more bytes of the stream in that direction
	KindCancel                 // host to guest: JSON Cancel: stop the call; its reply still comes
	KindSignal                 // host to guest: JSON Signal: for the call's job
	KindPing                   // host to guest: answer with a Pong of the same payload
	KindPong                   // guest to host
	KindBye                    // host to guest: end now, whatever the lease; guest to host: why it ends
	kindEnd
)

// limit is the largest payload a kind may have.
func (k Kind) limit() int {
	switch k {
	case KindData, KindEnd:
		return MaxData
	case KindCredit:
		return 4
	case KindReset:
		return 0
	case KindBye:
		return 1 << 10
	case KindPing, KindPong:
		return 64
	}
	return MaxControl
}

// ProtocolError is a violation of the protocol by the other end.
type ProtocolError struct {
	Reason string
}

func (e *ProtocolError) Error() string { return "protocol violation: " + e.Reason }

func violation(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}

// Header is the decoded header of a frame.
type Header struct {
	Len    int
	Kind   Kind
	Stream uint32
}

// AppendFrame appends a whole frame to b.
func AppendFrame(b []byte, kind Kind, stream uint32, payload []byte) []byte {
	b = appendHeader(b, kind, stream, len(payload))
	return append(b, payload...)
}

func appendHeader(b []byte, kind Kind, stream uint32, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, byte(kind))
	return binary.BigEndian.AppendUint32(b, stream)
}

// Reader decodes frames. After each Next the caller must take the payload with Payload
// or ReadPayload before it calls Next again.
type Reader struct {
	r *bufio.Reader
}

// NewReader returns a Reader on r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, MaxData)}
}

// Next reads the next header. It returns io.EOF if the input ends between frames,
// io.ErrUnexpectedEOF if it ends inside one, and a *ProtocolError for a header that no peer may
// send.
func (r *Reader) Next() (Header, error) {
	b, err := r.r.Peek(HeaderSize)
	if err != nil {
		if err == io.EOF && len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return Header{}, err
	}
	h := Header{
		Len:    int(binary.BigEndian.Uint32(b)),
		Kind:   Kind(b[4]),
		Stream: binary.BigEndian.Uint32(b[5:]),
	}
	if h.Kind == 0 || h.Kind >= kindEnd {
		return Header{}, violation("frame of unknown kind %d", h.Kind)
	}
	if uint64(h.Len) > uint64(h.Kind.limit()) {
		return Header{}, violation("frame of kind %d with %d bytes, at most %d", h.Kind, h.Len, h.Kind.limit())
	}
	r.r.Discard(HeaderSize)
	return h, nil
}

// Unread returns up to n bytes that have arrived and were not taken. After a violation that is
// the text of a peer that does not speak the protocol.
func (r *Reader) Unread(n int) []byte {
	b, _ := r.r.Peek(min(n, r.r.Buffered()))
	return b
}

// ReadPayload fills p with the next bytes of the current payload.
func (r *Reader) ReadPayload(p []byte) error {
	_, err := io.ReadFull(r.r, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Payload returns the whole payload of a control frame in a buffer of its own.
func (r *Reader) Payload(h Header) ([]byte, error) {
	if h.Len == 0 {
		return nil, nil
	}
	// Grow with what really arrives: a length is only a claim.
	const first = 64 << 10
	b := make([]byte, 0, min(h.Len, first))
	for len(b) < h.Len {
		n := min(h.Len-len(b), max(first, len(b)))
		b = append(b, make([]byte, n)...)
		if err := r.ReadPayload(b[len(b)-n:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Discard skips n bytes of the current payload.
func (r *Reader) Discard(n int) error {
	_, err := r.r.Discard(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
