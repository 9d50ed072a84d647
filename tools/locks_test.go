package tools

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// Calls that change one path wait for each other, whatever they call it; others do not.
func TestSerialised(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a": "0", "b": "0", "to -> a": ""})
	s := newSet(t, sb, nil)
	for _, name := range []string{"a", "b"} {
		use(t, s, "read_file", object{"path": name})
	}
	var inA, maxInA atomic.Int32
	meet := make(chan struct{}) // closed when both paths are being changed
	var both sync.WaitGroup
	both.Add(2)
	var once [2]sync.Once
	go func() { both.Wait(); close(meet) }()
	sb.OnEdit = func(name string) {
		i := 0
		if name == "/workspace/a" {
			if n := inA.Add(1); n > maxInA.Load() {
				maxInA.Store(n)
			}
			defer inA.Add(-1)
			i = 1
		}
		once[i].Do(both.Done)
		select {
		case <-meet:
		case <-time.After(10 * time.Second):
		}
	}
	var all sync.WaitGroup
	var failures atomic.Int32
	for _, name := range []string{"a", "to", "../workspace/a", "./a", "b"} {
		all.Go(func() {
			if use(t, s, "write_file", object{"path": name, "content": name}).IsError {
				failures.Add(1)
			}
		})
	}
	all.Wait()
	is.Equal(maxInA.Load(), int32(1))
	is.Equal(failures.Load(), int32(0))
	select {
	case <-meet:
	default:
		t.Error("a and b were not changed at the same time")
	}
	is.Equal(len(s.locks), 0) // nothing is kept

	// Waiting ends with the context.
	unlock, err := s.lock(context.Background(), "/x")
	is.NoErr(err)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
	_, err = s.lock(ctx, "/x")
	is.Equal(err, cause)
	unlock()
	is.Equal(len(s.locks), 0)
}
