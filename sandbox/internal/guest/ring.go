//go:build linux

package guest

import (
	"bytes"
	"sync"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// ring keeps the last bytes of what a job wrote, by their offsets in the whole.
type ring struct {
	mu      sync.Mutex
	size    int
	b       []byte // at most twice size, so that bytes move seldom
	first   int64  // the offset of b[0]
	over    bool   // nothing more comes
	changed chan struct{}
}

func newRing(size int) *ring { return &ring{size: size, changed: make(chan struct{})} }

// WriteBuffer implements taker.
func (r *ring) WriteBuffer(b *wire.Buffer, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.b = append(r.b, b.Data()[:n]...); len(r.b) > 2*r.size {
		r.trim()
	}
	r.wake()
	return nil
}

// Abort implements taker; a write never waits.
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

// close says that nothing more comes, and gives back what is not needed.
func (r *ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trim()
	r.b = bytes.Clone(r.b)
	r.over = true
	r.wake()
}

// from appends to buf at most so many bytes from an offset on, and returns where they begin,
// which is later than asked for where those are gone. more is closed when there is more to
// come and something has changed; it is nil at the end.
func (r *ring) from(buf []byte, offset int64, most int) (got []byte, at int64, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What stands here beyond size is on its way out, and kept by chance.
	at = min(max(offset, r.bounds()), r.first+int64(len(r.b)))
	rest := r.b[at-r.first:]
	if len(rest) > most {
		rest = rest[:most]
	}
	if !r.over || at+int64(len(rest)) < r.first+int64(len(r.b)) {
		more = r.changed
	}
	return append(buf, rest...), at, more
}

// bounds returns the offset of the oldest byte that is kept for sure.
func (r *ring) bounds() int64 { return r.first + int64(max(0, len(r.b)-r.size)) }

// span returns the offsets of the oldest byte and of the one after the newest.
func (r *ring) span() (first, next int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bounds(), r.first + int64(len(r.b))
}
