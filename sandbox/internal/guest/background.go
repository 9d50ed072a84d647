//go:build linux

package guest

import (
	"slices"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// What is kept of background jobs that have ended. The result of one is small, so many are
// kept. Output has a bound for all of them together, and so have names and arguments; the job
// that ended longest ago loses its own first.
const (
	maxEnded       = 10_000   // jobs
	maxEndedOutput = 4 << 20  // bytes
	maxEndedArgs   = 4 << 20  // bytes
	maxListed      = 100      // ended jobs in a list of all
	maxKeep        = 16 << 20 // bytes of output of one job
	maxName        = 4 << 10  // bytes of its name

	// retention is how long the output of a job stays for a caller that was told of its end:
	// to fetch the output takes another call.
	retention = 5 * time.Second
)

// background holds the jobs that outlive the calls which start them: all that run, and those
// that ended last.
type background struct {
	mu     sync.Mutex
	lastID int
	jobs   map[int]*backgroundJob
	ended  []*backgroundJob // in the order of their ends
	output int              // bytes of output that ended jobs keep
	args   int              // bytes of their names and arguments
}

// add gives a job its number.
func (b *background) add(j *backgroundJob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.jobs == nil {
		b.jobs = make(map[int]*backgroundJob)
	}
	b.lastID++
	j.id = b.lastID
	b.jobs[j.id] = j
}

// end notes that a job has ended, after its ring was closed.
func (b *background) end(j *backgroundJob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first, next := j.ring.span()
	j.output = int(next - first)
	b.output += j.output
	b.args += j.size()
	close(j.done)
	b.ended = append(b.ended, j)
	b.trim()
}

// trim brings what ended jobs keep back within its bounds. The job that ended last loses
// nothing, and no job loses output that is in use. b.mu is held.
func (b *background) trim() {
	if n := len(b.ended) - maxEnded; n > 0 {
		for _, j := range b.ended[:n] {
			b.drop(j, j.output)
			b.dropArgs(j)
			delete(b.jobs, j.id)
		}
		b.ended = slices.Delete(b.ended, 0, n)
	}
	for _, j := range b.ended[:max(0, len(b.ended)-1)] {
		if b.output <= maxEndedOutput && b.args <= maxEndedArgs {
			break
		}
		if j.inUse() {
			continue
		}
		b.drop(j, b.output-maxEndedOutput)
		if b.args > maxEndedArgs && j.args != nil {
			// Who may read the output can depend on the command that wrote it.
			b.dropArgs(j)
			b.drop(j, j.output)
		}
	}
}

// drop drops at most n bytes of a job's output, the oldest first.
func (b *background) drop(j *backgroundJob, n int) {
	n = max(0, min(n, j.output))
	j.ring.drop(n)
	j.output -= n
	b.output -= n
}

func (b *background) dropArgs(j *backgroundJob) {
	b.args -= j.size()
	j.name, j.args = "", nil
}

// size returns the bytes of the job's name and arguments.
func (j *backgroundJob) size() int {
	n := len(j.name)
	for _, arg := range j.args {
		n += len(arg)
	}
	return n
}

// listed returns the jobs that run and those that ended last, in the order of their start.
func (b *background) listed() []*backgroundJob {
	b.mu.Lock()
	defer b.mu.Unlock()
	jobs := slices.Clone(b.ended[max(0, len(b.ended)-maxListed):])
	for _, j := range b.jobs {
		if !j.hasEnded() {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(x, y *backgroundJob) int { return x.id - y.id })
	return jobs
}

// use finds a job, whose output is then in use until leave is called.
func (b *background) use(id int) (j *backgroundJob, leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j = b.jobs[id]
	if j == nil {
		return nil, nil, wire.Errorf(wire.CodeNoJob, "there is no job %d", id)
	}
	j.calls++
	return j, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		j.calls--
		b.trim()
	}, nil
}

// retain keeps the output of a job for a caller that is told of its end, until release or
// for the time of retention.
func (b *background) retain(j *backgroundJob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.retained++
	j.retainedUntil = time.Now().Add(retention)
	time.AfterFunc(retention, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !time.Now().Before(j.retainedUntil) {
			j.retained = 0
		}
		b.trim()
	})
}

// release ends what retain began: a caller has fetched the output.
func (b *background) release(j *backgroundJob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.retained = max(0, j.retained-1)
}
