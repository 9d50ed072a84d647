//go:build linux

package guest

import (
	"errors"
	"sync"
	"sync/atomic"
)

// spillSize is how many bytes a batch may find before it waits for its turn.
const spillSize = 64 << 10

// errEnough ends a search that has found as much as was asked for.
var errEnough = errors.New("enough")

// gathering hands the files of a walk to several goroutines, and gathers what they find in the
// order of the walk. The goroutine that walks is one of them; it does a small tree alone.
type gathering struct {
	c       *call
	size    int                        // files in a batch
	limit   int                        // of the findings
	start   func() (fileSearch, error) // called for each goroutine that searches
	deliver func(*findings) error      // takes the findings in order

	own   fileSearch
	batch *batch // the one that the walk fills
	count int    // of batches so far
	queue chan *batch
	help  sync.WaitGroup
	helps int

	delivered atomic.Int64 // of the findings
	errors    int          // files and directories that could not be read
	more      bool         // the limit left something out

	mu    sync.Mutex
	cond  sync.Cond // of the fields below
	turn  int       // the number of the batch to deliver next
	ready map[int]*findings
	held  int // how many bytes those take
	err   error
	ended atomic.Bool // err is set
}

// fileSearch searches files, one after the other.
type fileSearch interface {
	search(path string, f *findings) error
	close()
}

// batch is files that follow each other in the walk.
type batch struct {
	number int
	paths  []string
	errors int
}

// findings is what was found in a batch.
type findings struct {
	g      *gathering
	number int
	buf    []byte
	begins []int // where in buf each finding begins that counts against the limit
	errors int
}

// begin notes that a finding begins. It returns errEnough if the limit is reached.
func (f *findings) begin() error {
	f.begins = append(f.begins, len(f.buf))
	if int64(len(f.begins))+f.g.delivered.Load() > int64(f.g.limit) {
		return errEnough
	}
	return nil
}

// size returns about how many bytes of memory f takes.
func (f *findings) size() int { return cap(f.buf) + 8*cap(f.begins) + 256 }

// spill delivers the findings so far if they are many, when it is the turn of their batch.
func (f *findings) spill() error {
	if len(f.buf) < spillSize {
		return nil
	}
	g := f.g
	return g.c.yield(func() error {
		g.mu.Lock()
		for g.turn != f.number && g.err == nil {
			g.cond.Wait()
		}
		err := g.err
		g.mu.Unlock()
		if err != nil {
			return err
		}
		return g.take(f)
	})
}

// take delivers findings of the batch whose turn it is, up to the limit.
func (g *gathering) take(f *findings) error {
	g.errors += f.errors
	found, remaining := len(f.begins), g.limit-int(g.delivered.Load())
	if found > remaining {
		found, g.more = remaining, true
		f.buf = f.buf[:f.begins[remaining]]
	}
	f.begins = f.begins[:found]
	g.delivered.Add(int64(found))
	err := g.deliver(f)
	f.buf, f.begins, f.errors = f.buf[:0], f.begins[:0], 0
	if err == nil && g.more {
		err = errEnough
	}
	return err
}

// begin waits for a place among the searchers. end gives it back.
func (g *gathering) begin() (err error) {
	select {
	case searchers() <- struct{}{}:
	case <-g.c.quit:
		return errAborted
	}
	if g.own, err = g.start(); err != nil {
		<-searchers()
		return err
	}
	g.cond.L = &g.mu
	g.ready = make(map[int]*findings)
	g.queue = make(chan *batch, 8)
	return nil
}

// add takes a file from the walk.
func (g *gathering) add(path string) error {
	b := g.current()
	if b.paths = append(b.paths, path); len(b.paths) < g.size {
		return nil
	}
	return g.dispatch()
}

// fail takes a directory that cannot be read.
func (g *gathering) fail() { g.current().errors++ }

func (g *gathering) current() *batch {
	if g.batch == nil {
		g.batch = &batch{number: g.count, paths: make([]string, 0, g.size)}
		g.count++
	}
	return g.batch
}

// dispatch queues the batch. While the queue is full, it does the oldest batch in it.
func (g *gathering) dispatch() error {
	b := g.batch
	g.batch = nil
	for {
		select {
		case g.queue <- b:
			g.helper()
			return g.failed()
		default:
		}
		select {
		case old := <-g.queue:
			g.do(g.own, old)
		default:
		}
	}
}

// helper starts another goroutine if there is work and room for one.
func (g *gathering) helper() {
	if len(g.queue) < 2 || g.helps >= cap(running())-1 {
		return
	}
	select {
	case searchers() <- struct{}{}:
	default:
		return
	}
	s, err := g.start()
	if err != nil {
		<-searchers()
		return // the others do it
	}
	g.helps++
	g.help.Go(func() {
		defer func() { <-searchers() }()
		defer s.close()
		for b := range g.queue {
			g.do(s, b)
		}
	})
}

// failed returns the error that ended the search early.
func (g *gathering) failed() error {
	if !g.ended.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// end waits for the searches under way, after the walk has ended with err.
func (g *gathering) end(err error) error {
	if err != nil {
		g.stop(err)
	}
	if g.batch != nil {
		_ = g.dispatch() // failed has the error
	}
	close(g.queue)
	for b := range g.queue {
		g.do(g.own, b)
	}
	g.help.Wait()
	g.own.close()
	<-searchers()
	if err = g.failed(); err == errEnough {
		err = nil
	}
	return err
}

// stop ends the search.
func (g *gathering) stop(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
		g.ended.Store(true)
	}
	g.cond.Broadcast()
}

// do searches the files of a batch.
func (g *gathering) do(s fileSearch, b *batch) {
	f := &findings{g: g, number: b.number, errors: b.errors}
	for _, path := range b.paths {
		if g.ended.Load() {
			return
		}
		if g.c.aborted() {
			g.stop(errAborted)
			return
		}
		err := g.c.run(func() error { return s.search(path, f) })
		if err == errEnough {
			break
		}
		if err != nil {
			g.stop(err)
			return
		}
	}
	g.finish(f)
}

// finish delivers a batch and those that waited for it, or keeps it until its turn.
func (g *gathering) finish(f *findings) {
	room := searchMemory(64, 1<<20)
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.turn != f.number && g.held+f.size() > room && g.err == nil {
		g.cond.Wait()
	}
	if g.turn != f.number {
		g.ready[f.number] = f
		g.held += f.size()
		return
	}
	for f != nil && g.err == nil {
		g.mu.Unlock()
		err := g.take(f)
		g.mu.Lock()
		if err != nil && g.err == nil {
			g.err = err
			g.ended.Store(true)
		}
		g.turn++
		if f = g.ready[g.turn]; f != nil {
			delete(g.ready, g.turn)
			g.held -= f.size()
		}
		g.cond.Broadcast()
	}
}
