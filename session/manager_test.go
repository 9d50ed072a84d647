package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

// 1,000 Gets of one id at once get one sandbox.
func TestOneForAll(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		b.openTakes = time.Second
		var wg sync.WaitGroup
		all := make([]instance, 1000)
		for i := range all {
			wg.Go(func() { all[i], _ = b.get(ctx, "a", nil) })
		}
		wg.Wait()
		is.Equal(b.opens(), 1)
		for _, got := range all {
			is.Equal(got, all[0])
		}
		is.Equal(b.Count(), 1)
		is.NoErr(b.Release(ctx, "a", nil))
		is.Equal(b.Count(), 0)
		is.Equal(b.reasons(), "a released")
		is.NoErr(b.Release(ctx, "a", nil)) // nothing to do
		is.Equal(b.opened[0].closes, 1)
	})
}

// An opening that takes long holds up nobody else.
func TestOpeningBlocksNobody(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		b.make = func(n int, f *fake) {
			if n == 0 {
				time.Sleep(time.Hour)
			}
		}
		begin := time.Now()
		go b.get(ctx, "slow", nil)
		synctest.Wait()
		b.mustGet(is, "fast", nil)
		is.NoErr(b.Release(ctx, "fast", nil))
		is.Equal(time.Since(begin), time.Duration(0))
		is.Equal(b.Count(), 1)
	})
}

func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		const room, refused = 10, 20
		b := newBench(t, Options{Max: room})
		b.openTakes = time.Second
		var wg sync.WaitGroup
		errs := make([]error, room+refused)
		for i := range errs {
			wg.Go(func() { _, errs[i] = b.get(ctx, fmt.Sprint("u", i), nil) })
		}
		synctest.Wait()
		is.Equal(b.Count(), room) // room is taken before anything is open
		wg.Wait()
		full := 0
		for _, err := range errs {
			if e, ok := errors.AsType[*Error](err); ok && errors.Is(err, ErrFull) {
				full++
				is.True(strings.HasPrefix(e.ID, "u") && strings.Contains(err.Error(), "all 10 are taken"))
			}
		}
		is.Equal(full, refused)
		is.Equal(b.opens(), room)
		is.Equal(b.maxAlive, room)
		is.NoErr(b.Close())
	})
}

func TestWaitForRoom(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.mustGet(is, "a", nil)
		begin := time.Now()

		_, err := b.get(ctx, "b", &GetOptions{Wait: time.Minute})
		is.True(errors.Is(err, ErrFull))
		is.Equal(time.Since(begin), time.Minute) // bounded
		is.Equal(len(b.queue), 0)

		short, cancel := context.WithTimeoutCause(ctx, time.Second, errors.New("enough"))
		defer cancel()
		_, err = b.get(short, "b", &GetOptions{Wait: -1})
		is.True(err != nil && strings.HasSuffix(err.Error(), ": enough")) // cancellable, with the cause
		is.Equal(len(b.queue), 0)

		// In line are two Gets of b, then one of c.
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		for _, id := range []string{"b", "b", "c"} {
			wg.Go(func() {
				_, err := b.get(ctx, id, &GetOptions{Wait: -1})
				mu.Lock()
				defer mu.Unlock()
				order = append(order, fmt.Sprint(id, " ", err))
			})
			synctest.Wait()
		}
		_, err = b.get(ctx, "b", nil)
		is.True(errors.Is(err, ErrFull)) // without Wait it does not stand in line
		is.Equal(b.Count(), 1)
		is.NoErr(b.Release(ctx, "a", nil))
		synctest.Wait()
		is.Equal(order, []string{"b <nil>", "b <nil>"})
		is.Equal(b.opens(), 2)
		is.NoErr(b.Release(ctx, "b", nil))
		wg.Wait()
		is.Equal(order[2], "c <nil>")
		is.Equal(b.maxAlive, 1)
		is.Equal(b.reasons(), "a released, b released")
	})
}

// Wait bounds the wait for room, and not the opening that follows.
func TestWaitIsForRoomAlone(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.openTakes = time.Hour
		b.mustGet(is, "a", nil)
		go func() {
			time.Sleep(time.Second)
			b.Release(ctx, "a", nil)
		}()
		_, err := b.get(ctx, "b", &GetOptions{Wait: 2 * time.Second})
		is.NoErr(err)
	})
}

// A Get that gives up does not end the opening that others wait for; the last one does.
func TestCanceledWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.openTakes = time.Minute
		first, cancel := context.WithCancelCause(ctx)
		errs := make(chan error, 1)
		go func() { _, err := b.get(first, "a", nil); errs <- err }()
		synctest.Wait()
		second := make(chan instance, 1)
		go func() { sb, _ := b.get(ctx, "a", nil); second <- sb }()
		synctest.Wait()
		cause := errors.New("went away")
		cancel(cause)
		is.True(errors.Is(<-errs, cause))
		is.True(<-second != nil)
		is.Equal(b.opens(), 1)
		is.NoErr(b.Release(ctx, "a", nil))
		is.Equal(b.reasons(), "a released")

		short, cancel2 := context.WithTimeout(ctx, time.Second)
		defer cancel2()
		_, err := b.get(short, "b", nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
		synctest.Wait()
		is.Equal(b.living(), 0) // nobody waited any more
		is.Equal(b.Count(), 0)
		is.Equal(b.reasons(), "") // it never was a session

		canceled, cancel3 := context.WithCancel(ctx)
		cancel3()
		_, err = b.get(canceled, "c", nil)
		is.True(errors.Is(err, context.Canceled))
		is.Equal(b.opens(), 2) // not even begun
	})
}

// A Get during the end of an opening that was given up waits, and gets another sandbox.
func TestGetAfterAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.ignoresContext, b.openTakes = true, time.Minute
		b.make = func(_ int, f *fake) { f.closeTakes = time.Second }
		begin := time.Now()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := b.get(short, "a", nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
		sb, err := b.get(ctx, "a", nil)
		is.NoErr(err)
		is.Equal(sb.Name(), "sandbox1")
		is.Equal(time.Since(begin), 2*time.Minute+time.Second)
		is.Equal(b.opened[0].closes, 1)
		is.Equal(b.maxAlive, 1)
	})
}

func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 5})
		bad := []error{errors.New("no answer"), errors.New("still there")}
		b.make = func(n int, f *fake) {
			f.closeTakes = time.Minute
			if n < 2 {
				f.closeErr = bad[n]
			}
		}
		for i := range 4 {
			b.mustGet(is, fmt.Sprint("s", i), nil)
		}
		b.openTakes = time.Hour
		waiting := make(chan error, 2)
		go func() { _, err := b.get(ctx, "opening", nil); waiting <- err }()
		synctest.Wait()
		go func() { _, err := b.get(ctx, "queued", &GetOptions{Wait: -1}); waiting <- err }()
		synctest.Wait()

		begin := time.Now()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := b.Shutdown(short)
		is.True(errors.Is(err, context.DeadlineExceeded)) // bounded
		is.Equal(strings.Count(err.Error(), "deadline"), 4)
		is.Equal(time.Since(begin), time.Second)
		for range 2 {
			is.True(errors.Is(<-waiting, ErrClosed))
		}
		_, err = b.get(ctx, "s0", nil)
		is.True(errors.Is(err, ErrClosed))

		err = b.Close()
		is.Equal(time.Since(begin), time.Minute) // in parallel
		is.True(errors.Is(err, bad[0]) && errors.Is(err, bad[1]))
		is.Equal(err.Error(), "session \"s0\": shutdown: no answer\nsession \"s1\": shutdown: still there")
		is.Equal(b.reasons(), "s0 shutdown, s1 shutdown, s2 shutdown, s3 shutdown")
		is.NoErr(b.Close()) // again
		is.NoErr(b.Release(ctx, "s0", nil))
	})
}

// Shutdown waits for an opening that ignores its context, and closes the sandbox.
func TestShutdownDuringOpen(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		b.ignoresContext, b.openTakes = true, time.Minute
		got := make(chan error, 1)
		go func() { _, err := b.get(ctx, "a", nil); got <- err }()
		synctest.Wait()
		begin := time.Now()
		is.NoErr(b.Close())
		is.Equal(time.Since(begin), time.Minute)
		is.True(errors.Is(<-got, ErrClosed))
		is.Equal(b.opened[0].Err(), sandbox.ErrClosed)
		is.Equal(b.reasons(), "")
	})
}

func TestReleaseDuringOpen(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.openTakes = time.Minute
		errs := make(chan error, 2)
		go func() { _, err := b.get(ctx, "a", nil); errs <- err }()
		synctest.Wait()
		go func() { _, err := b.get(ctx, "b", &GetOptions{Wait: -1}); errs <- err }()
		synctest.Wait()
		is.NoErr(b.Release(ctx, "b", nil)) // in line
		is.NoErr(b.Release(ctx, "a", nil))
		for range 2 {
			is.True(errors.Is(<-errs, ErrReleased))
		}
		is.Equal(b.Count(), 0)
	})
}

func TestReleaseIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		b.make = func(_ int, f *fake) { f.closeTakes, f.closeErr = time.Minute, errors.New("stuck") }
		b.mustGet(is, "a", nil)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := b.Release(short, "a", nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.Equal(b.Count(), 1)
		err = b.Release(ctx, "a", nil) // waits for the same end
		is.Equal(err.Error(), `session "a": release: stuck`)
		is.Equal(b.Count(), 0)
	})
}

func TestLastUsed(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		f := b.mustGet(is, "a", nil)
		opened := time.Now()
		info := func() (info Info) {
			for _, info = range b.All() {
			}
			return info
		}
		time.Sleep(time.Minute)
		is.Equal(info().LastUsed, opened)
		is.Equal(info().Opened, opened)
		f.use(true)
		time.Sleep(time.Minute)
		is.Equal(info().LastUsed, time.Now())
		f.use(false)
		time.Sleep(time.Minute)
		is.Equal(info().LastUsed, time.Now().Add(-time.Minute))
	})
}

func TestConcurrentEverything(t *testing.T) {
	is := is.New(t)
	b := newBench(t, Options{Max: 3, WorkspaceRoot: t.TempDir(), IdleTimeout: time.Millisecond, SweepInterval: 100 * time.Microsecond})
	b.openTakes = 100 * time.Microsecond
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 100 {
				id := fmt.Sprint("id", (w*i)%6)
				short, cancel := context.WithTimeout(ctx, time.Duration(i%5)*200*time.Microsecond+time.Microsecond)
				switch (w + i) % 5 {
				case 0:
					_ = b.Release(short, id, &ReleaseOptions{DeleteWorkspace: i%2 == 0})
				case 1:
					for range b.All() {
						b.Count()
					}
				case 2:
					if sb, err := b.get(short, id, &GetOptions{Wait: -1}); err == nil {
						sb.(*fake).end(sandbox.ErrLost)
					}
				default:
					_, _ = b.get(short, id, &GetOptions{Wait: time.Duration(i%2) * time.Millisecond})
				}
				cancel()
			}
		})
	}
	wg.Wait()
	is.NoErr(b.Close())
	is.True(b.maxAlive <= 3)
}
