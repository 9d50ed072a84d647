package sandbox

import (
	"bytes"
	"testing"

	"github.com/matryer/is"
)

// lockWatcher records whether a stream was locked at each Write.
type lockWatcher struct {
	bytes.Buffer
	s      *interpreterStream
	locked []bool
}

func (w *lockWatcher) Write(b []byte) (int, error) {
	free := w.s.mu.TryLock()
	if free {
		w.s.mu.Unlock()
	}
	w.locked = append(w.locked, !free)
	return w.Buffer.Write(b)
}

// Output from before a run is written before later output, because the stream is locked while
// the early output is written.
func TestEarlyOutputComesFirst(t *testing.T) {
	is := is.New(t)
	s := &interpreterStream{kept: newCapture(100)}
	is.NoErr(s.take([]byte("early ")))
	w := &lockWatcher{s: s}
	s.begin(w, newCapture(100))
	is.NoErr(s.take([]byte("late")))
	is.Equal(w.String(), "early late")
	is.Equal(w.locked, []bool{true, true})
}
