package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

// fake stands in for a sandbox. What it is asked to do takes no time but what it is told.
type fake struct {
	opts     sandbox.Options
	name     string
	done     chan struct{}
	gone     func()
	closeFor time.Duration
	closeErr error

	mu     sync.Mutex
	err    error
	once   sync.Once
	busy   bool
	last   time.Time
	closes int
}

func (f *fake) end(err error) {
	f.once.Do(func() {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
		f.gone()
		close(f.done)
	})
}

func (f *fake) Close() error {
	f.mu.Lock()
	f.closes++
	f.mu.Unlock()
	time.Sleep(f.closeFor)
	f.end(sandbox.ErrClosed)
	return f.closeErr
}

func (f *fake) use(busy bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy, f.last = busy, time.Now()
}

func (f *fake) Idle() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy {
		return 0
	}
	return time.Since(f.last)
}

func (f *fake) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fake) Done() <-chan struct{} { return f.done }
func (f *fake) Alive() bool           { return f.Err() == nil }
func (f *fake) User() (int, int)      { return 1234, 1234 }
func (f *fake) Name() string          { return f.name }
func (f *fake) Image() string         { return "image-of-" + f.name }

// bench is a manager on fakes, and what became of them.
type bench struct {
	*Manager
	mu       sync.Mutex
	opened   []*fake
	alive    int // now
	most     int // ever
	released []string

	// What an opening does, set before the first.
	openFor     time.Duration
	deaf        bool // to the end of its context
	openErr     func(n int) error
	make        func(n int, f *fake)
	findWorkDir func(ctx context.Context, snapshot string) (string, error)
}

func newBench(t *testing.T, opts Options) *bench {
	t.Helper()
	b := &bench{}
	onRelease := opts.OnRelease
	opts.OnRelease = func(id string, why Reason) {
		if onRelease != nil {
			onRelease(id, why)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.released = append(b.released, id+" "+string(why))
	}
	m, err := newManager(&opts, b.open)
	if err != nil {
		t.Fatal(err)
	}
	m.snapshotWorkDir = func(ctx context.Context, o *sandbox.Options) (string, error) {
		if b.findWorkDir == nil {
			panic("snapshotWorkDir was called")
		}
		return b.findWorkDir(ctx, o.Snapshot)
	}
	b.Manager = m
	t.Cleanup(func() {
		b.Close()
		if b.alive != 0 || b.Count() != 0 || len(b.sessions) != 0 || len(b.queue) != 0 {
			t.Errorf("%d sandboxes, %d counted, %d sessions, %d in line were left", b.alive, b.Count(), len(b.sessions), len(b.queue))
		}
	})
	return b
}

func (b *bench) open(ctx context.Context, o *sandbox.Options) (box, error) {
	b.mu.Lock()
	n := len(b.opened)
	gone := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.alive--
	}
	f := &fake{opts: *o, name: fmt.Sprint("box", n), done: make(chan struct{}), gone: gone}
	b.opened = append(b.opened, f)
	b.alive++
	b.most = max(b.most, b.alive)
	b.mu.Unlock()
	if b.make != nil {
		b.make(n, f)
	}
	if b.deaf {
		ctx = context.Background()
	}
	select {
	case <-time.After(b.openFor):
	case <-ctx.Done():
		gone()
		return nil, &sandbox.Error{Op: "open", Err: context.Cause(ctx)}
	}
	if b.openErr != nil {
		if err := b.openErr(n); err != nil {
			gone()
			return nil, err
		}
	}
	f.use(false)
	return f, nil
}

func (b *bench) opens() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.opened)
}

func (b *bench) living() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alive
}

// whys returns what OnRelease was told, sorted, and forgets it.
func (b *bench) whys() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.released)
	out := strings.Join(b.released, ", ")
	b.released = nil
	return out
}

func (b *bench) got(is *is.I, id string, opts *GetOptions) *fake {
	is.Helper()
	sb, err := b.get(context.Background(), id, opts)
	is.NoErr(err)
	return sb.(*fake)
}

// bubble runs a test with a clock of its own. It fails if a goroutine is left.
func bubble(t *testing.T, f func(t *testing.T, is *is.I)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, is.New(t)) })
}

var ctx = context.Background()

func TestIDs(t *testing.T) {
	for _, id := range []string{"a", "7", "user-1", "A.b_c-d", "a..", strings.Repeat("x", 64)} {
		t.Run("good "+id, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(checkID(id))
		})
	}
	root := t.TempDir()
	b := newBench(t, Options{WorkspaceRoot: root})
	for _, id := range []string{"", "../x", "..", ".", ".a", "-a", "_a", "a/b", `a\b`, "/a", "a b", "a\x00", "a\n", "\n",
		"é", "a\u0301", "名", "a:b", "a,b", "a=b", "a*", "a\xff", "a\x1b[2J", strings.Repeat("x", 65), strings.Repeat("é", 1000)} {
		t.Run(fmt.Sprintf("bad %.20q", id), func(t *testing.T) {
			is := is.New(t)
			for _, f := range []func() error{
				func() error { _, err := b.get(ctx, id, nil); return err },
				func() error { return b.Release(ctx, id, &ReleaseOptions{DeleteWorkspace: true}) },
			} {
				err := f()
				is.True(errors.Is(err, ErrInvalidID))
				var e *Error
				is.True(errors.As(err, &e) && e.ID == id)
				is.True(strings.Contains(err.Error(), "write 1 to 64 ASCII letters, digits, '.', '_' and '-'")) // the way out
				is.True(len(err.Error()) < 800 && !strings.ContainsFunc(err.Error(), unicode.IsControl))        // printable
			}
		})
	}
	is := is.New(t)
	is.Equal(b.opens(), 0)
	entries, err := os.ReadDir(root)
	is.NoErr(err)
	is.Equal(len(entries), 0) // no path was touched
}

func TestNewRefuses(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, opts := range map[string]*Options{
		"cannot be that of every session":      {Sandbox: sandbox.Options{Name: "x"}},
		"sweep interval -1ns is negative":      {SweepInterval: -1},
		"max of -1 sessions is negative":       {Max: -1},
		"everybody may write":                  {WorkspaceRoot: open},
		"not a directory":                      {WorkspaceRoot: file},
		"session: new: the container name":     {Sandbox: sandbox.Options{Name: "x"}},
		"name it in GetOptions.Runtime, Image": nil,
	} {
		t.Run(want, func(t *testing.T) {
			is := is.New(t)
			m, err := New(opts)
			if opts == nil {
				is.NoErr(err)
				defer m.Close()
				_, err = m.Get(ctx, "a", &GetOptions{Configure: func(o *sandbox.Options) { o.Image = "z" }})
				is.Equal(m.Count(), 0)
			}
			var e *Error
			is.True(errors.As(err, &e))
			is.True(strings.Contains(err.Error(), want)) // got another text
		})
	}
}

// 1,000 at once for one id: one sandbox, the same for all.
func TestOneForAll(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		b.openFor = time.Second
		var wg sync.WaitGroup
		boxes := make([]box, 1000)
		for i := range boxes {
			wg.Go(func() { boxes[i], _ = b.get(ctx, "a", nil) })
		}
		wg.Wait()
		is.Equal(b.opens(), 1)
		for _, got := range boxes {
			is.Equal(got, boxes[0])
		}
		is.Equal(b.Count(), 1)
		is.NoErr(b.Release(ctx, "a", nil))
		is.Equal(b.Count(), 0)
		is.Equal(b.whys(), "a released")
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
		b.got(is, "fast", nil)
		is.NoErr(b.Release(ctx, "fast", nil))
		is.Equal(time.Since(begin), time.Duration(0))
		is.Equal(b.Count(), 1)
	})
}

func TestIdle(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		f := b.got(is, "a", nil)
		b.got(is, "b", nil)
		time.Sleep(59 * time.Minute)
		b.got(is, "a", nil) // a Get is use
		time.Sleep(time.Minute + time.Millisecond)
		is.Equal(b.whys(), "b idle") // the defaults: 1 h, and a sweep every 5 min
		time.Sleep(50 * time.Minute)
		f.use(false) // so is an operation of one who got it earlier
		time.Sleep(59 * time.Minute)
		is.Equal(b.whys(), "")
		time.Sleep(6 * time.Minute)
		is.Equal(b.whys(), "a idle")
		is.Equal(b.Count(), 0)
		is.True(b.got(is, "a", nil) != f) // another life
	})
}

// A command that runs for longer than the idle timeout is not cut.
func TestInUseIsNeverIdle(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: time.Minute, SweepInterval: time.Second})
		f := b.got(is, "a", nil)
		f.use(true)
		time.Sleep(100 * time.Hour)
		is.True(f.Alive())
		f.use(false)
		time.Sleep(59 * time.Second)
		is.True(f.Alive())
		time.Sleep(2 * time.Second)
		is.True(!f.Alive())
		is.Equal(b.whys(), "a idle")
	})
}

func TestNeverIdle(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: -1})
		f := b.got(is, "a", nil)
		time.Sleep(10000 * time.Hour)
		is.True(f.Alive())
	})
}

// The sweep is not rarer than the timeout, unless it was asked to be.
func TestSweepInterval(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: time.Second})
		b.got(is, "a", nil)
		time.Sleep(2*time.Second + time.Millisecond)
		is.Equal(b.whys(), "a idle")
	})
}

// No Get returns what a sweep has chosen. Run with the race detector.
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
				// Not closed when it was returned: where it is now, 50 us have gone by.
				_ = sb.Alive()
				time.Sleep(time.Duration(i%3) * 40 * time.Microsecond)
			}
		})
	}
	wg.Wait()
	is.True(b.opens() > 3) // the sweep had its part
	is.True(b.most <= 3)   // and never were there two of one id
}

// A Get just before the sweep keeps the session; one just after gets another.
func TestSweepRechecks(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{IdleTimeout: time.Minute, SweepInterval: time.Hour})
		b.make = func(_ int, f *fake) { f.closeFor = time.Second }
		f := b.got(is, "a", nil)
		time.Sleep(time.Hour - time.Nanosecond)
		is.Equal(b.got(is, "a", nil), f)
		time.Sleep(2 * time.Nanosecond)
		is.True(f.Alive())
		time.Sleep(time.Hour)
		begin := time.Now()
		g := b.got(is, "a", nil) // it is being ended
		is.True(g != f)
		is.True(!f.Alive())
		is.True(time.Since(begin) > 900*time.Millisecond) // nothing was left of it first
		is.Equal(b.most, 1)
	})
}

func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		const most, over = 10, 20
		b := newBench(t, Options{Max: most})
		b.openFor = time.Second
		var wg sync.WaitGroup
		errs := make([]error, most+over)
		for i := range errs {
			wg.Go(func() { _, errs[i] = b.get(ctx, fmt.Sprint("u", i), nil) })
		}
		synctest.Wait()
		is.Equal(b.Count(), most) // room is taken before anything is open
		wg.Wait()
		full := 0
		for _, err := range errs {
			var e *Error
			if errors.As(err, &e) && errors.Is(err, ErrFull) {
				full++
				is.True(strings.HasPrefix(e.ID, "u") && strings.Contains(err.Error(), "all 10 are taken"))
			}
		}
		is.Equal(full, over)
		is.Equal(b.opens(), most)
		is.Equal(b.most, most)
		is.NoErr(b.Close())
	})
}

func TestWaitForRoom(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.got(is, "a", nil)
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

		// In line: b, which two wait for, then c.
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
		is.True(errors.Is(err, ErrFull)) // who does not wait does not stand in line
		is.Equal(b.Count(), 1)
		is.NoErr(b.Release(ctx, "a", nil))
		synctest.Wait()
		is.Equal(order, []string{"b <nil>", "b <nil>"})
		is.Equal(b.opens(), 2)
		is.NoErr(b.Release(ctx, "b", nil))
		wg.Wait()
		is.Equal(order[2], "c <nil>")
		is.Equal(b.most, 1)
		is.Equal(b.whys(), "a released, b released")
	})
}

// The limit is on the wait for room and not on the opening that follows.
func TestWaitIsForRoomAlone(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.openFor = time.Hour
		b.got(is, "a", nil)
		go func() {
			time.Sleep(time.Second)
			b.Release(ctx, "a", nil)
		}()
		_, err := b.get(ctx, "b", &GetOptions{Wait: 2 * time.Second})
		is.NoErr(err)
	})
}

// One who gives up takes nothing from the others; the last one ends the opening.
func TestCanceledWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.openFor = time.Minute
		first, cancel := context.WithCancelCause(ctx)
		errs := make(chan error, 1)
		go func() { _, err := b.get(first, "a", nil); errs <- err }()
		synctest.Wait()
		second := make(chan box, 1)
		go func() { sb, _ := b.get(ctx, "a", nil); second <- sb }()
		synctest.Wait()
		cause := errors.New("went away")
		cancel(cause)
		is.True(errors.Is(<-errs, cause))
		is.True(<-second != nil)
		is.Equal(b.opens(), 1)
		is.NoErr(b.Release(ctx, "a", nil))
		is.Equal(b.whys(), "a released")

		short, cancel2 := context.WithTimeout(ctx, time.Second)
		defer cancel2()
		_, err := b.get(short, "b", nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
		synctest.Wait()
		is.Equal(b.living(), 0) // nobody waited any more
		is.Equal(b.Count(), 0)
		is.Equal(b.whys(), "") // it never was a session

		canceled, cancel3 := context.WithCancel(ctx)
		cancel3()
		_, err = b.get(canceled, "c", nil)
		is.True(errors.Is(err, context.Canceled))
		is.Equal(b.opens(), 2) // not even begun
	})
}

// Who comes while an opening that was given up is still ending waits, and gets its own.
func TestGetAfterAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.deaf, b.openFor = true, time.Minute
		b.make = func(_ int, f *fake) { f.closeFor = time.Second }
		begin := time.Now()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := b.get(short, "a", nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
		sb, err := b.get(ctx, "a", nil)
		is.NoErr(err)
		is.Equal(sb.Name(), "box1")
		is.Equal(time.Since(begin), 2*time.Minute+time.Second)
		is.Equal(b.opened[0].closes, 1)
		is.Equal(b.most, 1)
	})
}

func TestFailedOpen(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		root := t.TempDir()
		b := newBench(t, Options{Max: 1, WorkspaceRoot: root})
		b.openFor = time.Second
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
			var e *sandbox.Error
			is.True(errors.As(err, &e))
		}
		is.Equal(b.opens(), 1)
		is.Equal(b.Count(), 0) // the room is free when the error is known
		_, err := os.Stat(filepath.Join(root, "a"))
		is.True(errors.Is(err, fs.ErrNotExist)) // and the directory that was made is gone
		is.Equal(b.whys(), "")
		b.got(is, "a", nil)
	})
}

func TestDeadReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		root := t.TempDir()
		b := newBench(t, Options{Max: 1, WorkspaceRoot: root})
		f := b.got(is, "a", nil)
		work := f.opts.Mounts[0].Source
		is.NoErr(os.WriteFile(filepath.Join(work, "file"), []byte("kept"), 0o600))
		f.end(fmt.Errorf("%w: killed", sandbox.ErrLost))
		g := b.got(is, "a", nil) // at once, though nobody has noticed
		is.True(g != f && g.Alive())
		is.Equal(b.whys(), "a lost")
		is.Equal(g.opts.Mounts, f.opts.Mounts)
		data, err := os.ReadFile(filepath.Join(work, "file"))
		is.NoErr(err)
		is.Equal(string(data), "kept")

		g.end(fmt.Errorf("%w: killed", sandbox.ErrLost)) // noticed with no Get as well
		synctest.Wait()
		is.Equal(b.whys(), "a lost")
		is.Equal(b.Count(), 0)

		is.NoErr(b.got(is, "a", nil).Close()) // its holder closed it
		synctest.Wait()
		is.Equal(b.whys(), "a released")
	})
}

func TestRuntimes(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{
			WorkspaceRoot: t.TempDir(),
			Sandbox: sandbox.Options{Memory: 64 << 20, Env: map[string]string{"A": "1"},
				Mounts: []sandbox.Mount{{Source: "cache", Target: "/cache"}}},
		})
		f := b.got(is, "py", nil)
		is.Equal(f.opts.Runtime, sandbox.DefaultRuntime)
		is.Equal(f.opts.Mounts[1].Target, "/workspace")
		is.Equal(b.got(is, "py", &GetOptions{Runtime: sandbox.DefaultRuntime}), f) // it is what it has

		calls := 0
		configure := func(o *sandbox.Options) {
			calls++
			o.Env["A"] = "2"
			o.Mounts[0].ReadOnly = true
			o.Memory = 128 << 20
		}
		node := b.got(is, "js", &GetOptions{Runtime: "node-minimal", Configure: configure})
		is.Equal(b.got(is, "js", &GetOptions{Configure: configure}), node)
		is.Equal(calls, 1) // only where one is opened
		is.Equal(node.opts.Runtime, "node-minimal")
		is.Equal(node.opts.Mounts[1].Target, "/app") // the runtime's own work dir
		is.Equal(node.opts.Memory, int64(128<<20))
		is.Equal(node.opts.Env["A"], "2")
		is.Equal(f.opts.Env["A"], "1") // the template is nobody's to change
		is.Equal(b.c.Sandbox.Mounts[0].ReadOnly, false)

		im := b.got(is, "im", &GetOptions{Image: "busybox", Configure: func(o *sandbox.Options) { o.WorkDir = "/w" }})
		is.Equal(im.opts.Image+im.opts.Runtime, "busybox")
		is.Equal(im.opts.Mounts[1].Target, "/w")

		for _, o := range []GetOptions{{Runtime: "node-minimal"}, {Image: "busybox"}} {
			_, err := b.get(ctx, "py", &o)
			is.True(errors.Is(err, ErrMismatch))
			is.True(strings.Contains(err.Error(), "it has runtime python-minimal, and"))
		}
		_, err := b.get(ctx, "new", &GetOptions{Runtime: "x", Image: "y"})
		is.True(err != nil)
		_, err = b.get(ctx, "new", &GetOptions{Runtime: "no-such-runtime"})
		is.True(err != nil)
		is.Equal(b.Count(), 3)

		var ids, what []string
		for id, info := range b.All() {
			ids = append(ids, id)
			what = append(what, info.Runtime+" "+info.Container+" "+filepath.Base(info.Workspace))
			is.Equal(info.Image, "image-of-"+info.Container)
			is.Equal(info.ID, id)
		}
		is.Equal(ids, []string{"im", "js", "py"})
		is.Equal(what, []string{" box2 im", "node-minimal box1 js", "python-minimal box0 py"})
		for id := range b.All() {
			is.NoErr(b.Release(ctx, id, nil)) // a loop may change what it walks
			break
		}
		is.Equal(b.Count(), 2)
	})
}

func TestLastUsed(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		f := b.got(is, "a", nil)
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

func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 5})
		bad := []error{errors.New("no answer"), errors.New("still there")}
		b.make = func(n int, f *fake) {
			f.closeFor = time.Minute
			if n < 2 {
				f.closeErr = bad[n]
			}
		}
		for i := range 4 {
			b.got(is, fmt.Sprint("s", i), nil)
		}
		b.openFor = time.Hour
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
		is.Equal(b.whys(), "s0 shutdown, s1 shutdown, s2 shutdown, s3 shutdown")
		is.NoErr(b.Close()) // again
		is.NoErr(b.Release(ctx, "s0", nil))
	})
}

// Shutdown waits for an opening that does not heed its context, and closes what comes of it.
func TestShutdownDuringOpen(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{})
		b.deaf, b.openFor = true, time.Minute
		got := make(chan error, 1)
		go func() { _, err := b.get(ctx, "a", nil); got <- err }()
		synctest.Wait()
		begin := time.Now()
		is.NoErr(b.Close())
		is.Equal(time.Since(begin), time.Minute)
		is.True(errors.Is(<-got, ErrClosed))
		is.Equal(b.opened[0].Err(), sandbox.ErrClosed)
		is.Equal(b.whys(), "")
	})
}

func TestReleaseDuringOpen(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		b := newBench(t, Options{Max: 1})
		b.openFor = time.Minute
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
		b.make = func(_ int, f *fake) { f.closeFor, f.closeErr = time.Minute, errors.New("stuck") }
		b.got(is, "a", nil)
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

// While OnRelease runs nothing uses the workspace, and the id's next sandbox waits.
func TestOnRelease(t *testing.T) {
	bubble(t, func(t *testing.T, is *is.I) {
		var b *bench
		root := t.TempDir()
		saved := ""
		b = newBench(t, Options{WorkspaceRoot: root, OnRelease: func(id string, why Reason) {
			if why != ReasonReleased {
				return
			}
			data, _ := os.ReadFile(filepath.Join(root, id, "file"))
			saved = fmt.Sprintf("%s, %d alive, others %d", data, b.living(), b.Count()-1)
			time.Sleep(time.Minute)
		}})
		b.got(is, "b", nil)
		f := b.got(is, "a", nil)
		is.NoErr(os.WriteFile(filepath.Join(root, "a", "file"), []byte("data"), 0o600))
		go b.Release(ctx, "a", &ReleaseOptions{DeleteWorkspace: true})
		synctest.Wait()
		begin := time.Now()
		is.True(b.got(is, "a", nil) != f)
		is.Equal(time.Since(begin), time.Minute)
		is.Equal(saved, "data, 1 alive, others 1")
		_, err := os.Stat(filepath.Join(root, "a", "file"))
		is.True(errors.Is(err, fs.ErrNotExist)) // deleted after it
	})
}

func TestConcurrentEverything(t *testing.T) {
	is := is.New(t)
	b := newBench(t, Options{Max: 3, WorkspaceRoot: t.TempDir(), IdleTimeout: time.Millisecond, SweepInterval: 100 * time.Microsecond})
	b.openFor = 100 * time.Microsecond
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
	is.True(b.most <= 3)
}
