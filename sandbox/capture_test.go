package sandbox

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/matryer/is"
)

// However the bytes come, the first and the last are kept, and the rest is counted.
func TestCapture(t *testing.T) {
	is := is.New(t)
	random := rand.New(rand.NewSource(1))
	for range 2000 {
		maxBytes, total := random.Intn(20), random.Intn(60)
		all := make([]byte, total)
		for i := range all {
			all[i] = byte('a' + i%26)
		}
		c := newCapture(maxBytes)
		for rest := all; len(rest) > 0; {
			n := 1 + random.Intn(len(rest))
			c.write(rest[:n])
			rest = rest[n:]
		}
		got, dropped := c.bytes()
		want := string(all)
		if total > maxBytes {
			head, tail := maxBytes/2, maxBytes-maxBytes/2
			want = fmt.Sprintf("%s\n[... %d bytes dropped ...]\n%s", all[:head], total-maxBytes, all[total-tail:])
		}
		is.Equal(string(got), want)
		is.Equal(dropped, int64(max(total-maxBytes, 0)))
	}
}
