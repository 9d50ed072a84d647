package sandbox

import (
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Outcome is how a command ended.
type Outcome string

// The outcomes.
const (
	// Exited: the command ended by itself, with ExitCode.
	Exited Outcome = "exited"
	// Signaled: Signal ended it, sent by the kernel or by a process inside.
	Signaled Outcome = "signaled"
	// TimedOut: its Timeout or the context's deadline had passed, and it was ended: see Rung.
	TimedOut Outcome = "timed_out"
	// Canceled: the context ended or Kill was called, and it was ended: see Rung.
	Canceled Outcome = "canceled"
	// OutputLimit: it wrote more than MaxOutput and was ended: see Rung.
	OutputLimit Outcome = "output_limit"
	// OutOfMemory: the kernel killed processes of the sandbox to keep it within its memory
	// limit, and the command died by SIGKILL or with the exit code 137. See Suspected.
	OutOfMemory Outcome = "out_of_memory"
	// Lost: the sandbox ended under it. An error goes with it.
	Lost Outcome = "lost"
	// EngineFault: the engine failed or could no longer be reached, so the command's end is
	// unknown. An error goes with it.
	EngineFault Outcome = "engine_fault"
)

// Rung says which step ended a command. The steps are tried in the order of the constants.
type Rung string

// The rungs.
const (
	RungNone      Rung = "none"      // it ended by itself
	RungInterrupt Rung = "interrupt" // SIGINT, for the code of an Interpreter only: the variables are kept
	RungTerm      Rung = "term"      // SIGTERM to all its processes
	RungKill      Rung = "kill"      // SIGKILL to the processes that remained
	RungContainer Rung = "container" // the guest did not answer, and the sandbox was ended
)

// Result is how a command ended, with its output. Another exit code than 0 is a result and not
// an error.
type Result struct {
	Outcome Outcome
	// ExitCode is the exit code, or -1 if the command did not exit.
	ExitCode int
	// Signal is the name of the signal that ended the command, such as "SIGKILL", or "".
	Signal string
	Rung   Rung
	// Suspected goes with OutOfMemory: other commands ran at the same time, so the kernel may
	// have killed for one of those.
	Suspected bool

	// Stdout and Stderr are the captured output. If it is longer than the capture limit, half
	// of the limit is kept from its beginning and half from its end, with a line in between
	// that says how many bytes were dropped.
	Stdout, Stderr []byte
	// StdoutDropped and StderrDropped count the bytes that were dropped.
	StdoutDropped, StderrDropped int64
	// Unread is set if a writer of the caller failed, or did not take all output within 2 s
	// of the end of a command that had to be ended.
	Unread bool

	// Duration is from the start of the process to its end, measured in the guest.
	Duration time.Duration
	// UserTime and SystemTime are the cpu time of the command and of the children that it has
	// waited for.
	UserTime, SystemTime time.Duration
	// MaxRSS is the largest resident size in bytes that one of these processes had. It is 0 if
	// that is not above the guest's own size, which a new process begins with.
	MaxRSS int64
}

// OK reports whether the command exited with code 0.
func (r *Result) OK() bool { return r.Outcome == Exited && r.ExitCode == 0 }

// fill sets the fields that the guest reports.
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
