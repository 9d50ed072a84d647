package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/matryer/is"
)

func TestExitCode(t *testing.T) {
	lost := &sandbox.Error{Op: "exec", Err: sandbox.ErrLost}
	for name, c := range map[string]struct {
		r    *sandbox.Result
		err  error
		want int
	}{
		"success":        {&sandbox.Result{Outcome: sandbox.Exited}, nil, 0},
		"exit code":      {&sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3}, nil, 3},
		"signal":         {&sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGSEGV"}, nil, 139},
		"nameless":       {&sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "signal 34"}, nil, 162},
		"timeout":        {&sandbox.Result{Outcome: sandbox.TimedOut, ExitCode: -1, Signal: "SIGTERM"}, nil, 124},
		"late exit 0":    {&sandbox.Result{Outcome: sandbox.TimedOut}, nil, 124},
		"interrupted":    {&sandbox.Result{Outcome: sandbox.Canceled}, &sandbox.Error{Op: "exec", Err: interrupted{syscall.SIGINT}}, 130},
		"interrupt open": {nil, &sandbox.Error{Op: "open", Err: interrupted{syscall.SIGTERM}}, 143},
		"lost":           {&sandbox.Result{Outcome: sandbox.Lost, ExitCode: -1}, lost, 125},
		"lost at start":  {nil, lost, 125},
		"not opened":     {nil, &sandbox.Error{Op: "open", Code: "not_exist", Err: errors.New("x")}, 125},
		"writer failed":  {&sandbox.Result{Outcome: sandbox.Exited}, &sandbox.Error{Op: "exec", Err: errors.New("disk full")}, 125},
		"not found":      {nil, &sandbox.Error{Op: "exec", Code: "command_not_found", Err: errors.New("x")}, 127},
		"not executable": {nil, &sandbox.Error{Op: "exec", Code: "not_executable", Err: errors.New("x")}, 126},
		"a directory":    {nil, &sandbox.Error{Op: "exec", Code: "is_dir", Err: errors.New("x")}, 126},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(exitCode(c.r, c.err), c.want) // exit code
		})
	}
}

func TestSignalNumber(t *testing.T) {
	is := is.New(t)
	for name, want := range map[string]int{"SIGHUP": 1, "SIGKILL": 9, "SIGTERM": 15, "SIGSYS": 31, "signal 64": 64} {
		is.Equal(signalNumber(name), want) // as in signal(7)
	}
}

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		r       *sandbox.Result
		err     error
		standIn string
		want    string
	}{
		"result": {
			&sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3, Rung: sandbox.RungNone, Stdout: []byte("<a>\n"), Stderr: []byte{'x', 0xff}, Duration: 1500 * time.Microsecond},
			nil, "",
			`{"outcome":"exited","exit_code":3,"signal":"","rung":"none","stdout":"<a>\n","stderr":"x\ufffd","truncated":false,"duration_ms":1}`,
		},
		"truncated": {
			&sandbox.Result{Outcome: sandbox.TimedOut, ExitCode: -1, Signal: "SIGKILL", Rung: sandbox.RungKill, StderrDropped: 1},
			nil, "a in place of b",
			`{"outcome":"timed_out","exit_code":-1,"signal":"SIGKILL","rung":"kill","stdout":"","stderr":"","truncated":true,"duration_ms":0,"stand_in":"a in place of b"}`,
		},
		"no sandbox": {
			nil, &sandbox.Error{Op: "open", Err: errors.New("no engine")}, "",
			`{"outcome":"engine_fault","exit_code":-1,"signal":"","rung":"none","stdout":"","stderr":"","truncated":false,"duration_ms":0,"error":"open: no engine"}`,
		},
		"not started": {
			nil, &sandbox.Error{Op: "exec", Code: "command_not_found", Err: errors.New("x")}, "",
			`{"outcome":"not_started","exit_code":-1,"signal":"","rung":"none","stdout":"","stderr":"","truncated":false,"duration_ms":0,"error":"exec: x"}`,
		},
		"interrupted while opening": {
			nil, fmt.Errorf("open: %w", interrupted{syscall.SIGINT}), "",
			`{"outcome":"canceled","exit_code":-1,"signal":"","rung":"none","stdout":"","stderr":"","truncated":false,"duration_ms":0,"error":"open: interrupt"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var b strings.Builder
			is.NoErr(newReport(c.r, c.err, c.standIn).print(&b))
			is.Equal(b.String(), c.want+"\n") // one object
		})
	}
}
