package wire

import "sync"

// Buffer has room for a data frame: a header and the bytes after it. Together they are as long
// as a pipe is by default, and a multiple of what relays copy at a time. A few bytes more would
// take a system call and a wake-up of their own on every pipe that they pass.
type Buffer [64 << 10]byte

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// NewBuffer returns a Buffer from a pool. Give it back with Free.
func NewBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Data returns the room for the bytes.
func (b *Buffer) Data() []byte { return b[HeaderSize:] }

// Free gives b back to the pool.
func (b *Buffer) Free() { buffers.Put(b) }
