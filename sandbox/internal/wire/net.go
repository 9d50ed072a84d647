package wire

import "encoding/binary"

// Dial connects to a server inside: to the first of Addrs that takes the connection, or to
// the unix socket at Path. The call's stream then begins with a Dialed, and carries the
// connection's bytes after it.
type Dial struct {
	Addrs [][]byte `json:",omitempty"` // of 4 or 16 bytes
	Port  uint16   `json:",omitempty"`
	Path  []byte   `json:",omitempty"` // "@" begins the name of one without a file
	// Wait tries again until a connection is taken, closes that one and replies.
	Wait bool `json:",omitempty"`
}

// Dialed says that a connection was taken. It comes before the server's first byte, so
// that whoever dials neither waits for that nor for a second answer.
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
	CodeRefused Code = "refused" // nobody listens there
	CodeReset   Code = "reset"   // the server gave the connection up
)
