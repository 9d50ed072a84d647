//go:build linux

package guest

import (
	"bytes"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// ring keeps the last bytes of a job's output, by their offsets in the whole.
type ring struct {
	mu      sync.Mutex
	size    int    // how many bytes are kept
	b       []byte // at most twice size, so that bytes move seldom
	first   int64  // the offset of b[0]
	ended   bool   // nothing more comes
	waste   int    // bytes of memory before b[0] that drop has left
	changed chan struct{}
}

func newRing(size int) *ring { return &ring{size: size, changed: make(chan struct{})} }

// WriteBuffer implements taker. It never waits.
func (r *ring) WriteBuffer(b *wire.Buffer, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.b = append(r.b, b.Data()[:n]...); len(r.b) > 2*r.size {
		r.trim()
	}
	r.wake()
	return nil
}

// Abort implements taker. There is nothing to abort.
func (r *ring) Abort(error) {}

func (r *ring) trim() {
	if drop := len(r.b) - r.size; drop > 0 {
		r.first += int64(drop)
		r.b = append(r.b[:0], r.b[drop:]...)
	}
}

func (r *ring) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// close ends the ring and gives back memory that it does not need.
func (r *ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trim()
	r.b = bytes.Clone(r.b)
	r.ended = true
	r.wake()
}

// drop drops the n oldest bytes of a ring that is closed.
func (r *ring) drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.b))
	r.first += int64(n)
	r.b = r.b[n:]
	// The memory is given back, in large pieces so that bytes move seldom.
	if r.waste += n; r.waste >= len(r.b) {
		r.b, r.waste = bytes.Clone(r.b), 0
	}
}

// from appends to buf at most n bytes from an offset on. at is the offset of the first of
// them; it is later than the one asked for if that byte is no longer kept. more is closed
// when something has changed; it is nil if nothing more comes.
func (r *ring) from(buf []byte, offset int64, n int) (got []byte, at int64, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Bytes beyond size are on their way out: whether they are still here is chance.
	at = min(max(offset, r.bounds()), r.first+int64(len(r.b)))
	rest := r.b[at-r.first:]
	rest = rest[:min(n, len(rest))]
	if !r.ended || at+int64(len(rest)) < r.first+int64(len(r.b)) {
		more = r.changed
	}
	return append(buf, rest...), at, more
}

// bounds returns the offset of the oldest byte that is kept for sure.
func (r *ring) bounds() int64 { return r.first + int64(max(0, len(r.b)-r.size)) }

// span returns the offsets of the oldest byte and of the byte after the newest.
func (r *ring) span() (first, next int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bounds(), r.first + int64(len(r.b))
}
