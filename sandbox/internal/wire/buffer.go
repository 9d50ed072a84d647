package wire

import "sync"

// Buffer has room for a data frame: the bytes, and before them the header. Together they are
// as long as a pipe is by default, and a multiple of what others copy at a time: a few bytes
// over it would be a system call and a wake-up of their own on every pipe that they pass.
type Buffer [64 << 10]byte

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// NewBuffer returns a Buffer of the pool; give it back with Free.
func NewBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Data is where the bytes go.
func (b *Buffer) Data() []byte { return b[HeaderSize:] }

// Free gives b back to the pool.
func (b *Buffer) Free() { buffers.Put(b) }
