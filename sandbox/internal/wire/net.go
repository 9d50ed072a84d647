package wire

import "encoding/binary"

// Dial connects to a server inside: to the first of Addrs that takes the connection, or to the
// unix socket at Path. The call's stream then carries a Dialed, and after it the bytes of the
// connection.
type Dial struct {
	Addrs [][]byte `json:",omitempty"` // of 4 or 16 bytes
	Port  uint16   `json:",omitempty"`
	Path  []byte   `json:",omitempty"` // "@" begins the name of a socket without a file
	// Wait tries again until a connection is taken, closes it and replies.
	Wait bool `json:",omitempty"`
}

// Dialed says that a connection was taken. It comes before the server's first byte, which a
// client need not wait for.
type Dialed struct {
	Which byte   // of Dial.Addrs
	Port  uint16 // of the guest's end
}

// DialedSize is the length of an encoded Dialed.
const DialedSize = 3

// Encode returns the bytes of d.
func (d Dialed) Encode() []byte {
	return binary.BigEndian.AppendUint16([]byte{d.Which}, d.Port)
}

// DecodeDialed is the reverse of Encode.
func DecodeDialed(b [DialedSize]byte) Dialed {
	return Dialed{Which: b[0], Port: binary.BigEndian.Uint16(b[1:])}
}

// The codes of connections.
const (
	CodeRefused Code = "refused" // no server listens there
	CodeReset   Code = "reset"   // the server gave the connection up
)
