package wire

import (
	"bytes"
	"testing"

	"github.com/matryer/is"
)

func TestDialed(t *testing.T) {
	is := is.New(t)
	for _, d := range []Dialed{{}, {Which: 1, Port: 65535}, {Which: 255, Port: 80}} {
		b := d.Encode()
		is.Equal(len(b), DialedSize)
		is.Equal(DecodeDialed([DialedSize]byte(b)), d)
	}
	is.True(bytes.Equal(Dialed{Which: 1, Port: 0x1234}.Encode(), []byte{1, 0x12, 0x34}))
}
