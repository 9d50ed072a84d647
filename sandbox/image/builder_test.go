package image

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/drydock-go/drydock"
	"github.com/matryer/is"
)

// What sed would take for the match is none.
func TestMirrorWithAmpersand(t *testing.T) {
	is := is.New(t)
	b := &Builder{SystemMirror: "https://user:a&b@mirror.example.com/x/"}
	_, err := b.Resolve()
	is.NoErr(err)
	is.Equal(b.indexes(), `drydock DRYDOCK_MIRROR=https://user:a\&b@mirror.example.com/x`)
}

// What is wrong with a runtime stays to be found in the error.
func TestPrebuildUnknown(t *testing.T) {
	is := is.New(t)
	_, err := (&Builder{Engine: &shelf{}}).Prebuild(t.Context(), "nope")
	is.True(errors.Is(err, drydock.ErrUnknownRuntime))
	is.True(errors.Is(err, fs.ErrInvalid))
	_, ok := errors.AsType[*drydock.Error](err)
	is.True(ok)
}
