package image

import (
	"testing"

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
