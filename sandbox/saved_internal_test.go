package sandbox

import (
	"bytes"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

func TestBounded(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	b := &bounded{w: &out, left: 5}
	_, err := b.Write([]byte("12345"))
	is.NoErr(err)
	_, err = b.Write([]byte("6"))
	var e *wire.Error
	is.True(errors.As(err, &e) && e.Code == wire.CodeTooLarge)
	is.Equal(out.String(), "12345")
	is.Equal((&Sandbox{config: &config{Options: Options{Memory: 8 << 30}}}).maxSaved(), int64(8<<30))
	is.Equal((&Sandbox{config: &config{Options: Options{Memory: 1 << 30}}}).maxSaved(), int64(4<<30))
}
