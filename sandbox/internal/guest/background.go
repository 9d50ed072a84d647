//go:build linux

package guest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// background are the jobs that outlive the calls which start them.
type background struct {
	mu   sync.Mutex
	last int
	ends int // how many have ended
	jobs map[int]*bgJob
}

// bgJob is a command in the background. Its fields but the guarded ones do not change.
type bgJob struct {
	id      int
	name    string
	process *process
	ring    *ring
	ended   chan struct{} // closed after exited is set
	exited  *wire.Exited

	input chan struct{} // held by the one call that writes to stdin
	mu    sync.Mutex
	stdin *os.File // nil once it is closed

	// Guarded by background.mu.
	place int       // in the order of the ends, from 1; 0 while it runs
	calls int       // under way
	owed  int       // how many heard of its end and may come for its output
	until time.Time // when they have had long enough
}

// What the list keeps of jobs that have ended: those that ended last.
const (
	maxEnded      = 100
	maxEndedBytes = 4 << 20
	maxKeep       = 16 << 20
	// owedFor is how long whoever has waited for a job's end has to ask for its output.
	owedFor = 5 * time.Second
)

func (c *call) jobStart(m *wire.JobStart) (any, error) {
	if m.Keep <= 0 || m.Keep > maxKeep {
		return nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("a job keeps 1 to %d bytes of output, not %d", maxKeep, m.Keep)}
	}
	g := c.s.guest
	m.Join = true
	b := &g.background
	p, err := g.launch(&m.Exec, g.jobs.start)
	if err != nil {
		return nil, err
	}
	j := &bgJob{name: m.Name, process: p, ring: newRing(m.Keep), ended: make(chan struct{}),
		input: make(chan struct{}, 1), stdin: p.files.stdin}
	b.mu.Lock()
	b.last++
	j.id = b.last
	if b.jobs == nil {
		b.jobs = make(map[int]*bgJob)
	}
	b.jobs[j.id] = j
	b.mu.Unlock()
	p.pump(j.ring, nil)
	go func() {
		x := p.end()
		j.closeStdin()
		j.ring.close()
		j.exited = x
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ends++
		j.place = b.ends
		close(j.ended)
		b.forget()
	}()
	if c.aborted() {
		// Nobody has got its number.
		p.job.finish(ending{why: canceled, now: true})
		return nil, errAborted
	}
	return j.describe(), nil
}

// forget drops the jobs whose end is longest ago, beyond what the list keeps, but none that
// somebody still asks for, and never the one that ended last. mu is held.
func (b *background) forget() {
	count, size := 0, 0
	for _, j := range slices.SortedFunc(maps.Values(b.jobs), func(x, y *bgJob) int { return y.place - x.place }) {
		if j.place == 0 {
			break // it runs, as do the rest
		}
		first, next := j.ring.span()
		count, size = count+1, size+int(next-first)
		over := count > maxEnded || size > maxEndedBytes && count > 1
		if over && j.calls == 0 && j.owed == 0 {
			delete(b.jobs, j.id)
		}
	}
}

// use finds a job, which is then not forgotten until leave is called.
func (b *background) use(id int) (j *bgJob, leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j = b.jobs[id]
	if j == nil {
		return nil, nil, &wire.Error{Code: wire.CodeNoJob, Text: fmt.Sprintf("there is no job %d", id)}
	}
	j.calls++
	return j, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		j.calls--
		b.forget()
	}, nil
}

// owe keeps a job whose end a caller hears of: to fetch the output takes another call.
func (b *background) owe(j *bgJob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.owed++
	j.until = time.Now().Add(owedFor)
	time.AfterFunc(owedFor, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !time.Now().Before(j.until) {
			j.owed = 0
		}
		b.forget()
	})
}

// paid is the call that fetches the output.
func (b *background) paid(j *bgJob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.owed = max(0, j.owed-1)
}

func (j *bgJob) describe() *wire.Job {
	m := j.process.m
	d := &wire.Job{ID: j.id, Name: j.name, Args: m.Args, PID: j.process.pid,
		Started: j.process.started.UnixNano(), Terminal: m.Terminal != nil}
	d.First, d.Next = j.ring.span()
	select {
	case <-j.ended:
		d.Exited = j.exited
	default:
		j.mu.Lock()
		d.Stdin = j.stdin != nil
		j.mu.Unlock()
	}
	return d
}

// jobList returns the jobs by their numbers, one JSON Job a line.
func (c *call) jobList(*struct{}) (last []byte, v any, err error) {
	b := &c.s.background
	b.mu.Lock()
	jobs := slices.SortedFunc(maps.Values(b.jobs), func(x, y *bgJob) int { return x.id - y.id })
	b.mu.Unlock()
	l := &listing{c: c}
	for _, j := range jobs {
		if err := l.add(j.describe()); err != nil {
			return nil, nil, err
		}
	}
	last, err = l.last()
	return last, nil, err
}

// jobRead sends output from an offset on. With input it goes on at least until that has been
// taken.
func (c *call) jobRead(m *wire.JobRead) (any, error) {
	j, leave, err := c.s.background.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	var taken <-chan struct{} // nil where that does not end the read
	_, until := j.ring.span()
	if m.Input {
		done, leave, err := c.jobInput(j)
		if err != nil {
			return nil, err
		}
		defer leave()
		if !m.Follow {
			taken, until = done, math.MaxInt64
		}
	}
	if m.From < math.MaxInt64 { // else it is of no output, but of what the job is
		defer c.s.background.paid(j)
	}
	done := &wire.JobReadDone{}
	buf := wire.NewBuffer()
	defer buf.Free()
	for offset := m.From; ; {
		select {
		case <-taken:
			if c.aborted() {
				return nil, errAborted
			}
			taken = nil
			_, until = j.ring.span()
		default:
		}
		got, at, more := j.ring.from(buf.Data()[:0], offset, len(buf.Data()))
		if !m.Follow && at+int64(len(got)) > until {
			got = got[:max(0, until-at)]
		}
		if len(got) > 0 {
			if err := c.stream.WriteBuffer(buf, len(got)); err != nil {
				return nil, err
			}
		}
		offset = at + int64(len(got))
		done.Next = offset
		switch {
		case more == nil:
			<-j.ended
			done.Job = *j.describe()
			return done, nil
		case !m.Follow && offset >= until:
			done.Job = *j.describe()
			return done, nil
		case len(got) > 0:
			continue
		}
		select {
		case <-more:
		case <-taken:
		case <-c.quit:
			return nil, errAborted
		}
	}
}

// jobInput feeds the call's stream to a job until leave is called. taken is closed when the
// job's stdin has got all of it, or wants no more.
func (c *call) jobInput(j *bgJob) (taken <-chan struct{}, leave func(), err error) {
	select {
	case j.input <- struct{}{}:
	default:
		return nil, nil, &wire.Error{Code: wire.CodeBusy, Text: fmt.Sprintf("another call writes to job %d", j.id)}
	}
	j.mu.Lock()
	stdin := j.stdin
	j.mu.Unlock()
	if stdin == nil {
		<-j.input
		return nil, nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("job %d has no stdin, or it was closed", j.id)}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := c.stream.WriteTo(stdin)
		switch {
		case err != nil:
			c.stream.CloseRead()
		case c.aborted():
		case j.process.files.terminal != nil:
			_, _ = stdin.WriteString(endOfInput)
		default:
			j.closeStdin()
		}
	}()
	return done, func() {
		c.stream.Abort(errAborted)
		_ = stdin.SetWriteDeadline(time.Unix(1, 0))
		<-done
		_ = stdin.SetWriteDeadline(time.Time{})
		<-j.input
	}, nil
}

// closeStdin is the end of what a job can read. A terminal is its output, too, and stays.
func (j *bgJob) closeStdin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stdin != nil && j.process.files.terminal == nil {
		j.stdin.Close()
	}
	j.stdin = nil
}

// jobWait waits for the end of a job, or for a line.
func (c *call) jobWait(m *wire.JobWait) (any, error) {
	j, leave, err := c.s.background.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	if m.Pattern == nil {
		select {
		case <-j.ended:
			c.s.background.owe(j)
			return &wire.JobWaited{Job: *j.describe()}, nil
		case <-c.quit:
			return nil, errAborted
		}
	}
	re, err := regexp.Compile(string(m.Pattern))
	if err != nil {
		return nil, &wire.Error{Code: wire.CodeInvalid, Text: err.Error()}
	}
	// line is the part of the last line that is there, up to what a line may have.
	const longest = 64 << 10
	var line []byte
	for offset := m.From; ; {
		got, at, more := j.ring.from(nil, offset, longest)
		if at != offset {
			line = nil // its beginning is gone
		}
		offset = at
		for len(got) > 0 {
			end := bytes.IndexByte(got, '\n')
			part := got
			if end >= 0 {
				part = got[:end]
			}
			if line = append(line, part...); len(line) > longest {
				line = line[len(line)-longest:]
			}
			offset += int64(len(part))
			if end >= 0 {
				offset++
				got = got[end+1:]
			} else {
				got = nil
			}
			text := bytes.TrimSuffix(line, []byte("\r"))
			// A prompt matches without an end of line.
			if re.Match(text) {
				return &wire.JobWaited{Job: *j.describe(), Found: true, Line: text, Next: offset}, nil
			}
			if end >= 0 {
				line = nil
			}
		}
		if more == nil {
			<-j.ended
			return &wire.JobWaited{Job: *j.describe()}, nil
		}
		if _, next := j.ring.span(); next > offset {
			continue
		}
		select {
		case <-more:
		case <-c.quit:
			return nil, errAborted
		}
	}
}

func (c *call) jobSignal(m *wire.JobSignal) (any, error) {
	j, leave, err := c.s.background.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	select {
	case <-j.ended:
		return nil, &wire.Error{Code: wire.CodeNoJob, Text: fmt.Sprintf("job %d has ended", m.ID)}
	default:
	}
	if m.Number > 0 {
		j.process.signal(m.Number)
	}
	if m.Size != nil {
		if j.process.files.terminal == nil {
			return nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("job %d has no terminal", m.ID)}
		}
		if err := resize(j.process.files.terminal, *m.Size); err != nil && !errors.Is(err, os.ErrClosed) {
			return nil, describe("terminal", err)
		}
	}
	return nil, nil
}

func (c *call) jobStop(m *wire.JobStop) (any, error) {
	j, leave, err := c.s.background.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	select {
	case <-j.ended:
		// What it left behind is to end, too.
		j.process.kill()
		c.s.background.owe(j)
		return j.describe(), nil
	default:
	}
	j.process.finish(ending{why: canceled, now: m.Grace <= 0, grace: time.Duration(m.Grace)})
	select {
	case <-j.ended:
		c.s.background.owe(j)
		return j.describe(), nil
	case <-c.quit:
		return nil, errAborted
	}
}
