package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// Output in pieces of any size is kept alike.
func TestHeadTail(t *testing.T) {
	is := is.New(t)
	text := strings.Repeat("0123456789", 50)
	for _, size := range []int{1, 7, 33, 100, 499, 500} {
		h := &headTail{limit: 100}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			_, _ = h.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		is.Equal(h.String(), text[:50]+"\n[... 400 bytes dropped ...]\n"+text[450:])
	}
}
