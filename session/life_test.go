package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func TestIdle(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		f := b.mustGet(is, "a", nil)
		b.mustGet(is, "b", nil)
		time.Sleep(59 * time.Minute)
		b.mustGet(is, "a", nil) // a Get is use
		time.Sleep(time.Minute + time.Millisecond)
		is.Equal(b.reasons(), "b idle") // the defaults: 1 h, and a sweep every 5 min
		time.Sleep(50 * time.Minute)
		f.use(false) // so is an operation on a sandbox of an earlier Get
		time.Sleep(59 * time.Minute)
		is.Equal(b.reasons(), "")
		time.Sleep(6 * time.Minute)
		is.Equal(b.reasons(), "a idle")
		is.Equal(b.Count(), 0)
		is.True(b.mustGet(is, "a", nil) != f) // another life
	})
}

// A command that runs for longer than the idle timeout is not cut.
func TestInUseIsNeverIdle(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: time.Minute, SweepInterval: time.Second})
		f := b.mustGet(is, "a", nil)
		f.use(true)
		time.Sleep(100 * time.Hour)
		is.True(f.Alive())
		f.use(false)
		time.Sleep(59 * time.Second)
		is.True(f.Alive())
		time.Sleep(2 * time.Second)
		is.True(!f.Alive())
		is.Equal(b.reasons(), "a idle")
	})
}

func TestNeverIdle(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: -1})
		f := b.mustGet(is, "a", nil)
		time.Sleep(10000 * time.Hour)
		is.True(f.Alive())
	})
}

// The default of SweepInterval is no longer than IdleTimeout.
func TestSweepInterval(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: time.Second})
		b.mustGet(is, "a", nil)
		time.Sleep(2*time.Second + time.Millisecond)
		is.Equal(b.reasons(), "a idle")
	})
}

// No Get returns a session that a sweep ends. Run it with the race detector.
func TestGetAgainstSweep(t *testing.T) {
	is := is.New(t)
	b := newBench(t, Options{IdleTimeout: 50 * time.Microsecond, SweepInterval: 20 * time.Microsecond})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 300 {
				sb, err := b.get(ctx, fmt.Sprint("id", (w+i)%3), nil)
				if err != nil {
					t.Error(err)
					return
				}
				// It was open when it was returned; if it is closed now, 50 us have passed.
				_ = sb.Alive()
				time.Sleep(time.Duration(i%3) * 40 * time.Microsecond)
			}
		})
	}
	wg.Wait()
	is.True(b.opens() > 3)   // the sweep had its part
	is.True(b.maxAlive <= 3) // and never were there two of one id
}

// A Get just before the sweep keeps the session; one just after it gets another.
func TestSweepRechecks(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: time.Minute, SweepInterval: time.Hour})
		b.make = func(_ int, f *fake) { f.closeTakes = time.Second }
		f := b.mustGet(is, "a", nil)
		time.Sleep(time.Hour - time.Nanosecond)
		is.Equal(b.mustGet(is, "a", nil), f)
		time.Sleep(2 * time.Nanosecond)
		is.True(f.Alive())
		time.Sleep(time.Hour)
		begin := time.Now()
		g := b.mustGet(is, "a", nil) // it is being ended
		is.True(g != f)
		is.True(!f.Alive())
		is.True(time.Since(begin) > 900*time.Millisecond) // nothing was left of it first
		is.Equal(b.maxAlive, 1)
	})
}

func TestFailedOpen(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		root := t.TempDir()
		b := newBench(t, Options{Max: 1, WorkspaceRoot: root})
		b.openTakes = time.Second
		broken := &sandbox.Error{Op: "open", Err: sandbox.ErrNoImage}
		b.openErr = func(n int) error {
			if n == 0 {
				return broken
			}
			return nil
		}
		errs := make(chan error, 100)
		for range cap(errs) {
			go func() { _, err := b.get(ctx, "a", nil); errs <- err }()
		}
		for range cap(errs) {
			err := <-errs
			is.True(errors.Is(err, sandbox.ErrNoImage))
			_, ok := errors.AsType[*sandbox.Error](err)
			is.True(ok)
		}
		is.Equal(b.opens(), 1)
		is.Equal(b.Count(), 0) // the room is free when the error is known
		_, err := os.Stat(filepath.Join(root, "a"))
		is.True(errors.Is(err, fs.ErrNotExist)) // and the directory that was made is gone
		is.Equal(b.reasons(), "")
		b.mustGet(is, "a", nil)
	})
}

func TestDeadReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		root := t.TempDir()
		b := newBench(t, Options{Max: 1, WorkspaceRoot: root})
		f := b.mustGet(is, "a", nil)
		work := f.opts.Mounts[0].Source
		is.NoErr(os.WriteFile(filepath.Join(work, "file"), []byte("kept"), 0o600))
		f.end(fmt.Errorf("%w: killed", sandbox.ErrLost))
		g := b.mustGet(is, "a", nil) // at once, though nobody has noticed
		is.True(g != f && g.Alive())
		is.Equal(b.reasons(), "a lost")
		is.Equal(g.opts.Mounts, f.opts.Mounts)
		data, err := os.ReadFile(filepath.Join(work, "file"))
		is.NoErr(err)
		is.Equal(string(data), "kept")

		g.end(fmt.Errorf("%w: killed", sandbox.ErrLost)) // noticed with no Get as well
		synctest.Wait()
		is.Equal(b.reasons(), "a lost")
		is.Equal(b.Count(), 0)

		is.NoErr(b.mustGet(is, "a", nil).Close()) // its holder closed it
		synctest.Wait()
		is.Equal(b.reasons(), "a released")
	})
}

// While OnRelease runs, nothing uses the workspace, and the next sandbox of the id waits.
func TestOnRelease(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		var b *bench
		root := t.TempDir()
		saved := ""
		b = newBench(t, Options{WorkspaceRoot: root, OnRelease: func(id string, reason Reason) {
			if reason != ReasonReleased {
				return
			}
			data, _ := os.ReadFile(filepath.Join(root, id, "file"))
			saved = fmt.Sprintf("%s, %d alive, others %d", data, b.living(), b.Count()-1)
			time.Sleep(time.Minute)
		}})
		b.mustGet(is, "b", nil)
		f := b.mustGet(is, "a", nil)
		is.NoErr(os.WriteFile(filepath.Join(root, "a", "file"), []byte("data"), 0o600))
		go b.Release(ctx, "a", &ReleaseOptions{DeleteWorkspace: true})
		synctest.Wait()
		begin := time.Now()
		is.True(b.mustGet(is, "a", nil) != f)
		is.Equal(time.Since(begin), time.Minute)
		is.Equal(saved, "data, 1 alive, others 1")
		_, err := os.Stat(filepath.Join(root, "a", "file"))
		is.True(errors.Is(err, fs.ErrNotExist)) // deleted after it
	})
}

// A workspace that was there before is deleted also if its session was still opening.
func TestReleaseDuringOpenDeletes(t *testing.T) {
	for _, test := range []struct {
		name           string
		max            int
		ignoresContext bool
	}{
		{"opening", 0, false},
		{"opening that ignores its context", 0, true},
		{"waiting for room", 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, is *is.I) {
				root := t.TempDir()
				b := newBench(t, Options{WorkspaceRoot: root, Max: test.max})
				if test.max > 0 {
					b.mustGet(is, "other", nil)
				}
				b.openTakes, b.ignoresContext = time.Minute, test.ignoresContext
				is.NoErr(os.Mkdir(filepath.Join(root, "a"), 0o700))
				is.NoErr(os.WriteFile(filepath.Join(root, "a", "file"), nil, 0o600))
				errs := make(chan error, 1)
				go func() { _, err := b.get(ctx, "a", &GetOptions{Wait: -1}); errs <- err }()
				synctest.Wait()
				is.NoErr(b.Release(ctx, "a", &ReleaseOptions{DeleteWorkspace: true}))
				is.True(errors.Is(<-errs, ErrReleased))
				_, err := os.Stat(filepath.Join(root, "a"))
				is.True(errors.Is(err, fs.ErrNotExist))
			})
		})
	}
}
