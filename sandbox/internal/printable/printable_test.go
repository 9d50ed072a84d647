package printable

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestText(t *testing.T) {
	is := is.New(t)
	is.Equal(Text("a\x1b[2Jb\x07\u009bc\n\td"), "a\uFFFD[2Jb\uFFFD\uFFFDc\n\td")
	is.True(len(Text(strings.Repeat("x", 1<<20))) < 5000)
}
