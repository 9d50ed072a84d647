package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseLoaded(t *testing.T) {
	is := is.New(t)
	is.Equal(parseLoaded("Copying blob sha256:16\nLoaded image: a/b:1\r\nLoaded image: c:2\nLoaded image ID: sha256:1\n"), []string{"a/b:1", "c:2"})
	is.Equal(len(parseLoaded("")), 0)
}
