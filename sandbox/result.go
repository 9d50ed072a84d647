package sandbox

import (
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Outcome is how a command ended.
type Outcome string

// The outcomes.
const (
	// Exited: by itself, with ExitCode.
	Exited Outcome = "exited"
	// Signaled: by Signal, which somebody inside or the kernel sent.
	Signaled Outcome = "signaled"
	// TimedOut: its time was up and it was ended, as far as Rung.
	TimedOut Outcome = "timed_out"
	// Canceled: the context ended or Kill was called, and it was ended, as far as Rung.
	Canceled Outcome = "canceled"
	// OutputLimit: it wrote more than MaxOutput and was ended, as far as Rung.
	OutputLimit Outcome = "output_limit"
	// OutOfMemory: the kernel killed processes of the sandbox to keep it within its memory
	// limit, and the command died by SIGKILL or with the exit code 137. See Suspected.
	OutOfMemory Outcome = "out_of_memory"
	// Lost: the sandbox ended under it. An error goes with it.
	Lost Outcome = "lost"
	// EngineFault: the engine failed or could not be reached any more, and what became of
	// the command is not known. An error goes with it.
	EngineFault Outcome = "engine_fault"
)

// Rung is how far the ladder TERM, grace, KILL, container had to be climbed.
type Rung string

// The rungs.
const (
	RungNone      Rung = "none"      // nothing had to be done
	RungTerm      Rung = "term"      // SIGTERM to all its processes was enough
	RungKill      Rung = "kill"      // SIGKILL to those that were left
	RungContainer Rung = "container" // the guest did not answer: the sandbox was ended
)

// Result is what a command left. A command that exits with a code other than 0 is a
// result and not an error.
type Result struct {
	Outcome Outcome
	// ExitCode is the exit code, or -1 where there is none.
	ExitCode int
	// Signal is the name of the signal that ended the command, such as "SIGKILL", or "".
	Signal string
	Rung   Rung
	// Suspected goes with OutOfMemory: other commands ran at the same time, and the memory
	// may have been taken from one of those.
	Suspected bool

	// Stdout and Stderr are what it wrote, where nothing else was said to take it. Of
	// more than the capture limit the first and the last half are kept, with a line
	// between them that tells how many bytes were dropped.
	Stdout, Stderr []byte
	// StdoutDropped and StderrDropped count what was dropped.
	StdoutDropped, StderrDropped int64
	// Unread is set where a writer that was given for the output failed, or did not take
	// all of it within 2 s of the end of a command that had to be ended.
	Unread bool

	// Duration is from the start of the process to its end, as the guest saw it.
	Duration time.Duration
	// UserTime and SystemTime are the cpu time of the command and of the children that
	// it waited for.
	UserTime, SystemTime time.Duration
	// MaxRSS is the largest resident size in bytes of one of these processes, or 0 where
	// it was too small to be told from the guest's own.
	MaxRSS int64
}

// OK reports whether the command exited with code 0.
func (r *Result) OK() bool { return r.Outcome == Exited && r.ExitCode == 0 }

func (r *Result) fill(x *wire.Exited) {
	r.ExitCode, r.Rung = x.Code, RungNone
	if x.Signal != 0 {
		r.Signal = Signal(x.Signal).String()
	}
	switch {
	case x.OutputExceeded:
		r.Outcome = OutputLimit
	case x.OutOfMemory:
		r.Outcome, r.Suspected = OutOfMemory, x.Others
	case x.TimedOut:
		r.Outcome = TimedOut
	case x.Canceled:
		r.Outcome = Canceled
	case x.Signal != 0:
		r.Outcome = Signaled
	default:
		r.Outcome = Exited
	}
	switch x.Rung {
	case "term":
		r.Rung = RungTerm
	case "kill":
		r.Rung = RungKill
	}
	r.Duration = time.Duration(x.Elapsed)
	r.UserTime, r.SystemTime = time.Duration(x.User), time.Duration(x.System)
	r.MaxRSS = x.Peak
	r.Unread = x.Unread
}
