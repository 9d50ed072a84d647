package wire

import (
	"io"
	"sync"
)

// Writer writes frames of many goroutines to one pipe. It has no goroutine of its own: one that
// finds the pipe free writes, with the control frames that others leave meanwhile. A frame
// without contention then costs one system call and no hand-over.
type Writer struct {
	w io.Writer

	data sync.Mutex // held by the one sender of data that may wait for the pipe

	mu      sync.Mutex
	free    sync.Cond // the pipe is free, or err is set
	busy    bool      // a goroutine is inside w.Write
	pending []byte    // control frames for the goroutine that writes next
	spare   []byte    // a buffer for pending, to be used again
	err     error
}

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer) *Writer {
	wr := &Writer{w: w}
	wr.free.L = &wr.mu
	return wr
}

// Send writes a control frame. If another goroutine is writing, Send leaves the frame to that
// one and returns at once.
func (w *Writer) Send(kind Kind, stream uint32, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.pending == nil {
		w.pending, w.spare = w.spare[:0], nil
	}
	w.pending = AppendFrame(w.pending, kind, stream, payload)
	if w.busy {
		return nil
	}
	w.busy = true
	return w.flush(nil)
}

// Frames writes the whole frames in b, in order and with no other frame in between. It returns
// when they are written, so b can be used again, and a full pipe holds the sender back.
func (w *Writer) Frames(b []byte) error {
	return w.Exclusive(func() error {
		_, err := w.w.Write(b)
		return err
	})
}

// Exclusive calls write, which writes whole frames to the pipe itself.
func (w *Writer) Exclusive(write func() error) error {
	w.data.Lock()
	defer w.data.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.busy && w.err == nil {
		w.free.Wait()
	}
	if w.err != nil {
		return w.err
	}
	w.busy = true
	return w.flush(write)
}

// flush writes the pending control frames, calls write, writes the control frames that came
// meanwhile, and gives the pipe free. It is called with mu held and busy set. It returns an
// error only if a frame was not written: a Fail meanwhile does not undo those that were.
func (w *Writer) flush(write func() error) (failed error) {
	for w.err == nil && (len(w.pending) > 0 || write != nil) {
		out := w.pending
		w.pending = nil
		now := write
		if len(out) > 0 {
			now = func() error {
				_, err := w.w.Write(out)
				return err
			}
		} else {
			write = nil
		}
		w.mu.Unlock()
		err := now()
		w.mu.Lock()
		if len(out) > 0 && cap(out) <= MaxData {
			w.spare = out
		}
		if err != nil && w.err == nil {
			w.err = err
		}
		if err != nil {
			failed = w.err
		}
	}
	if failed == nil && (len(w.pending) > 0 || write != nil) {
		failed = w.err
	}
	w.busy = false
	w.free.Broadcast()
	return failed
}

// Fail makes every later write return err.
func (w *Writer) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.free.Broadcast()
}
