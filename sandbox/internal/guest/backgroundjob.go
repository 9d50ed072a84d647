//go:build linux

package guest

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// backgroundJob is a command in the background. It holds little once it has ended: its
// record is kept for long.
type backgroundJob struct {
	id       int
	name     string
	job      *job
	terminal *os.File // nil for a job without one
	ring     *ring
	done     chan struct{} // closed by background.end, after exited is set
	exited   *wire.Exited

	input sync.Mutex // held by the one call that writes to stdin

	mu    sync.Mutex
	stdin *os.File // nil once it is closed

	// Guarded by background.mu.
	args          [][]byte // nil once they are dropped
	output        int      // bytes that it keeps, once it has ended
	calls         int      // under way
	retained      int      // callers that were told of its end and may come for its output
	retainedUntil time.Time
}

// inUse reports whether somebody reads the job's output or may come for it. background.mu is
// held.
func (j *backgroundJob) inUse() bool { return j.calls > 0 || j.retained > 0 }

func (c *call) jobStart(m *wire.JobStart) (any, error) {
	if m.Keep <= 0 || m.Keep > maxKeep {
		return nil, wire.Invalid("a job keeps 1 to %d bytes of output, not %d", maxKeep, m.Keep)
	}
	if len(m.Name) > maxName {
		return nil, wire.Invalid("the name of a job has at most %d bytes, not %d", maxName, len(m.Name))
	}
	g := c.s.guest
	m.Join = true
	p, err := g.launch(&m.Exec, g.jobs.start)
	if err != nil {
		return nil, err
	}
	j := &backgroundJob{name: m.Name, args: m.Args, job: p.job, terminal: p.stdio.terminal, stdin: p.stdio.stdin,
		ring: newRing(m.Keep), done: make(chan struct{})}
	g.background.add(j)
	p.pump(j.ring, nil)
	go func() {
		exited := p.end()
		j.closeStdin()
		j.ring.close()
		j.exited = exited
		g.background.end(j)
	}()
	if c.aborted() {
		// Nobody has got its number.
		p.job.finish(ending{why: canceled, now: true})
		return nil, errAborted
	}
	return g.background.describe(j), nil
}

// describe describes a job as it is now.
func (b *background) describe(j *backgroundJob) *wire.Job {
	d := &wire.Job{ID: j.id, Name: j.name, PID: j.job.pid,
		Started: j.job.started.UnixNano(), Terminal: j.terminal != nil}
	b.mu.Lock()
	d.Args = j.args
	b.mu.Unlock()
	d.First, d.Next = j.ring.span()
	if j.hasEnded() {
		d.Exited = j.exited
	}
	return d
}

func (j *backgroundJob) hasEnded() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// closeStdin ends the job's input. A terminal stays open: it is the job's output, too.
func (j *backgroundJob) closeStdin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stdin != nil && j.terminal == nil {
		j.stdin.Close()
	}
	j.stdin = nil
}

// jobList sends a line of JSON for each job that runs or is among the last that ended, in
// the order of their start.
func (c *call) jobList(*struct{}) (last []byte, v any, err error) {
	l := &listing{c: c}
	for _, j := range c.s.background.listed() {
		if err := l.add(c.s.background.describe(j)); err != nil {
			return nil, nil, err
		}
	}
	last, err = l.last()
	return last, nil, err
}

func (c *call) jobSignal(m *wire.JobSignal) (any, error) {
	j, leave, err := c.s.background.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	if j.hasEnded() {
		return nil, wire.Errorf(wire.CodeNoJob, "job %d has ended", m.ID)
	}
	if m.Number > 0 {
		j.job.signal(m.Number)
	}
	if m.Size != nil {
		if j.terminal == nil {
			return nil, wire.Invalid("job %d has no terminal", m.ID)
		}
		if err := resize(j.terminal, *m.Size); err != nil && !errors.Is(err, os.ErrClosed) {
			return nil, describe("terminal", err)
		}
	}
	return nil, nil
}

func (c *call) jobStop(m *wire.JobStop) (any, error) {
	b := &c.s.background
	j, leave, err := b.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	if j.hasEnded() {
		j.job.kill() // the processes that it left behind
	} else {
		j.job.finish(ending{why: canceled, now: m.Grace <= 0, grace: time.Duration(m.Grace)})
		select {
		case <-j.done:
		case <-c.quit:
			return nil, errAborted
		}
	}
	b.retain(j)
	return b.describe(j), nil
}
