//go:build linux

package guest

import (
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// wait returns how the job ended. A timeout, a cancel or too much output climbs the ladder:
// TERM to all processes of the job, and after grace KILL to those that remain.
func (j *job) wait(limit <-chan time.Time, grace time.Duration) *wire.Exited {
	x := &wire.Exited{Code: -1}
	select {
	case <-j.exited:
	case <-limit:
		j.climb(x, ending{why: timedOut}, grace)
	case e := <-j.stop:
		j.climb(x, e, grace)
	}
	// If a process cannot be killed, as while it waits for a dead disk, the host's own limit on
	// waiting ends the sandbox.
	<-j.exited
	if j.status.Signaled() {
		x.Signal = int(j.status.Signal())
	} else {
		x.Code = j.status.ExitStatus()
	}
	x.Elapsed = j.ended.Sub(j.started).Nanoseconds()
	x.User, x.System = j.usage.Utime.Nano(), j.usage.Stime.Nano()
	x.Peak = j.peak()
	if x.Rung == "" && j.outOfMemory {
		x.OutOfMemory, x.Others = true, j.others
	}
	return x
}

// climb ends all processes of the job.
func (j *job) climb(x *wire.Exited, e ending, grace time.Duration) {
	because(x, e.why)
	if e.grace > 0 {
		grace = e.grace
	}
	if !e.now && grace > 0 {
		x.Rung = "term"
		deadline := time.Now().Add(grace)
		j.term(deadline)
		if j.endsWithin(time.Until(deadline)) {
			return
		}
	}
	x.Rung = "kill"
	j.kill()
}

// endsWithin waits until the whole tree has ended. It reports false if that takes longer than
// d, or the job is to end at once. The guest is not told of the end of processes that are not
// its children, so it looks for them, less and less often.
func (j *job) endsWithin(d time.Duration) bool {
	expired := time.NewTimer(d)
	defer expired.Stop()
	exited := j.exited
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		select {
		case <-expired.C:
			return j.gone()
		case e := <-j.stop:
			if e.now {
				return j.gone()
			}
		case <-exited:
			exited = nil
		case <-time.After(pause):
		}
		if exited == nil && j.gone() {
			return true
		}
	}
}

// because notes why a job was ended. The first reason counts.
func because(x *wire.Exited, why cause) {
	if x.TimedOut || x.Canceled || x.OutputExceeded {
		return
	}
	x.TimedOut, x.Canceled, x.OutputExceeded = why == timedOut, why == canceled, why == outputExceeded
}
