package sandbox

import (
	"bytes"
	"errors"
	"testing"

	"github.com/matryer/is"
)

func TestBounded(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	b := &bounded{w: &out, remaining: 5}
	_, err := b.Write([]byte("12345"))
	is.NoErr(err)
	_, err = b.Write([]byte("6"))
	e, ok := errors.AsType[*Error](err)
	is.True(ok && e.Code == CodeTooLarge)
	is.Equal(out.String(), "12345")
	is.Equal((&Sandbox{config: &config{Options: Options{Memory: 8 << 30}}}).maxArchive(), int64(8<<30))
	is.Equal((&Sandbox{config: &config{Options: Options{Memory: 1 << 30}}}).maxArchive(), int64(4<<30))
}
