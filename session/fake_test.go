package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

// fake is an instance whose operations take no time, unless it is told how much.
type fake struct {
	opts       sandbox.Options
	name       string
	done       chan struct{}
	gone       func()
	closeTakes time.Duration
	closeErr   error

	mu       sync.Mutex
	err      error
	once     sync.Once
	busy     bool
	lastUsed time.Time
	closes   int
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
	time.Sleep(f.closeTakes)
	f.end(sandbox.ErrClosed)
	return f.closeErr
}

func (f *fake) use(busy bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy, f.lastUsed = busy, time.Now()
}

func (f *fake) Idle() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy {
		return 0
	}
	return time.Since(f.lastUsed)
}

func (f *fake) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fake) Done() <-chan struct{} { return f.done }
func (f *fake) Alive() bool           { return f.Err() == nil }
func (f *fake) Name() string          { return f.name }
func (f *fake) Image() string         { return "image-of-" + f.name }

// bench is a manager of fakes, and a record of them.
type bench struct {
	*Manager
	mu       sync.Mutex
	opened   []*fake
	alive    int
	maxAlive int
	released []string // as OnRelease was told

	// How sandboxes are opened: set before the first.
	openTakes      time.Duration
	ignoresContext bool
	openErr        func(n int) error
	make           func(n int, f *fake)
	findWorkDir    func(ctx context.Context, snapshot string) (string, error)
}

func newBench(t *testing.T, opts Options) *bench {
	t.Helper()
	b := &bench{}
	onRelease := opts.OnRelease
	opts.OnRelease = func(id string, reason Reason) {
		if onRelease != nil {
			onRelease(id, reason)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.released = append(b.released, id+" "+string(reason))
	}
	m, err := newManager(&opts, b.openFake)
	if err != nil {
		t.Fatal(err)
	}
	m.snapshotWorkDir = func(ctx context.Context, o *sandbox.Options) (string, error) {
		if b.findWorkDir == nil {
			panic("the work dir of snapshot " + o.Snapshot + " was asked for")
		}
		return b.findWorkDir(ctx, o.Snapshot)
	}
	b.Manager = m
	t.Cleanup(func() {
		b.Close()
		if b.alive != 0 || b.Count() != 0 || len(b.sessions) != 0 || len(b.queue) != 0 {
			t.Errorf("%d sandboxes, %d counted, %d sessions and %d in line are left", b.alive, b.Count(), len(b.sessions), len(b.queue))
		}
	})
	return b
}

// openFake is the manager's opener.
func (b *bench) openFake(ctx context.Context, o *sandbox.Options) (instance, error) {
	b.mu.Lock()
	n := len(b.opened)
	gone := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.alive--
	}
	f := &fake{opts: *o, name: fmt.Sprint("sandbox", n), done: make(chan struct{}), gone: gone}
	b.opened = append(b.opened, f)
	b.alive++
	b.maxAlive = max(b.maxAlive, b.alive)
	b.mu.Unlock()
	if b.make != nil {
		b.make(n, f)
	}
	if b.ignoresContext {
		ctx = context.Background()
	}
	select {
	case <-time.After(b.openTakes):
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

// reasons returns what OnRelease was told, sorted, and forgets it.
func (b *bench) reasons() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.released)
	out := strings.Join(b.released, ", ")
	b.released = nil
	return out
}

// mustGet opens a session, or finds it open.
func (b *bench) mustGet(is *is.I, id string, opts *GetOptions) *fake {
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
