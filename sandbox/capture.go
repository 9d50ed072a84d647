package sandbox

import (
	"fmt"
	"sync"
)

// DefaultCapture is how many bytes of a captured stream are kept by default: half of them from
// its beginning, and half from its end.
const DefaultCapture = 100_000

// capture keeps the head and the tail of a stream.
type capture struct {
	maxBytes int

	mu    sync.Mutex
	head  []byte // the first bytes, up to half of maxBytes
	tail  []byte // the last bytes, up to the other half; a ring once it is full
	start int    // index of the ring's oldest byte
	total int64
}

func newCapture(maxBytes int) *capture { return &capture{maxBytes: maxBytes} }

// write takes the next bytes of the stream. It must not block, because the channel's read
// loop calls it and would hold up every other call of the sandbox.
func (c *capture) write(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += int64(len(p))
	if n := min(len(p), c.maxBytes/2-len(c.head)); n > 0 {
		c.head = append(c.head, p[:n]...)
		p = p[n:]
	}
	size := c.maxBytes - c.maxBytes/2
	if len(p) >= size {
		// Only the end of p fits.
		c.tail = append(c.tail[:0], p[len(p)-size:]...)
		c.start = 0
		return
	}
	if n := min(len(p), size-len(c.tail)); n > 0 {
		c.tail = append(c.tail, p[:n]...)
		p = p[n:]
	}
	for len(p) > 0 {
		n := copy(c.tail[c.start:], p)
		c.start = (c.start + n) % size
		p = p[n:]
	}
}

// bytes returns the bytes that were kept. If some were dropped, a line between head and tail
// says how many.
func (c *capture) bytes() (kept []byte, dropped int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dropped = c.total - int64(len(c.head)+len(c.tail))
	if dropped == 0 && c.start == 0 {
		return append(c.head, c.tail...), 0
	}
	kept = append(kept, c.head...)
	kept = fmt.Appendf(kept, "\n[... %d bytes dropped ...]\n", dropped)
	kept = append(kept, c.tail[c.start:]...)
	return append(kept, c.tail[:c.start]...), dropped
}
