package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/drydock-go/drydock/sandbox"
)

// The exit codes of run besides those of the command. They are those of env(1) and timeout(1).
const (
	exitUsage         = 2
	exitTimeout       = 124
	exitEngine        = 125
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal's number
)

// interrupted is the cause of a context that ended with a signal to this process.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return i.signal.String() }

// exitCode returns the exit code of run for a result and an error.
func exitCode(r *sandbox.Result, err error) int {
	var e *sandbox.Error
	var i interrupted
	switch {
	case errors.As(err, &i):
		return exitSignal + int(i.signal)
	case r != nil && r.Outcome == sandbox.TimedOut:
		return exitTimeout
	case r == nil && errors.As(err, &e) && (e.Op == "exec" || e.Op == "start interpreter"):
		return notStarted(e.Code)
	case r == nil || err != nil:
		return exitEngine
	case r.Signal != "":
		return exitSignal + signalNumber(r.Signal)
	}
	return r.ExitCode
}

// notStarted returns the exit code for a command that could not start.
func notStarted(code sandbox.Code) int {
	switch code {
	case sandbox.CodeCommandNotFound:
		return exitNotFound
	case sandbox.CodeNotExecutable, sandbox.CodePermission, sandbox.CodeIsDir, sandbox.CodeNotDir:
		return exitNotExecutable
	}
	return exitEngine
}

// signals are the signals of Linux, in the order of their numbers: signal(7).
var signals = []string{"SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
	"SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD",
	"SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM",
	"SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS"}

// signalNumber returns the number of a signal by its name in a result. A signal without a name is
// "signal 34".
func signalNumber(name string) int {
	if n := slices.Index(signals, name) + 1; n > 0 {
		return n
	}
	var n int
	_, _ = fmt.Sscanf(name, "signal %d", &n)
	return n
}

// report is the object that run --json prints. Bytes of the output that are not UTF-8 become
// U+FFFD.
type report struct {
	// Outcome is a sandbox.Outcome, not_started for a command that is missing or cannot be
	// executed, or engine_fault if there is no sandbox.
	Outcome string `json:"outcome"`
	// ExitCode is the command's, or -1 if it has none.
	ExitCode   int    `json:"exit_code"`
	Signal     string `json:"signal"`
	Rung       string `json:"rung"`
	Stdout     string `json:"stdout"`
	Stderr     string `json:"stderr"`
	Truncated  bool   `json:"truncated"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
	StandIn    string `json:"stand_in,omitempty"`
}

func newReport(r *sandbox.Result, err error, standIn string) *report {
	rep := &report{Outcome: "engine_fault", ExitCode: -1, Rung: string(sandbox.RungNone), StandIn: standIn}
	if err != nil {
		rep.Error = err.Error()
	}
	var e *sandbox.Error
	switch {
	case r != nil:
		rep.Outcome, rep.ExitCode, rep.Signal, rep.Rung = string(r.Outcome), r.ExitCode, r.Signal, string(r.Rung)
		rep.Stdout, rep.Stderr = string(r.Stdout), string(r.Stderr)
		rep.Truncated = r.StdoutDropped+r.StderrDropped > 0
		rep.DurationMS = r.Duration.Milliseconds()
	case errors.As(err, new(interrupted)):
		rep.Outcome = string(sandbox.Canceled)
	case errors.As(err, &e) && e.Op == "exec" && e.Code != "":
		rep.Outcome = "not_started"
	}
	return rep
}

func (r *report) print(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
