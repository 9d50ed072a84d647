package dockercli

import (
	"context"
	"reflect"
	"time"
)

// Result is what Run captured.
type Result struct {
	// Stdout and Stderr are the captured output, at most 4 MiB each: the first and the last
	// 2 MiB. Of streamed output only the 32 KiB kept for messages are here.
	Stdout, Stderr []byte

	// StdoutDropped and StderrDropped count the bytes left out in the middle.
	StdoutDropped, StderrDropped int64

	ExitCode int // -1: a signal ended the CLI
	Duration time.Duration

	c    *Client
	argv []string
}

// result runs k and returns what it captured, beside an error as well.
func (c *Client) result(ctx context.Context, k call) (*Result, error) {
	k.merge = k.stdout != nil && reflect.ValueOf(k.stdout).Comparable() && k.stdout == k.stderr
	r, err := c.do(ctx, k)
	return &Result{
		Stdout: r.Stdout, Stderr: r.Stderr,
		StdoutDropped: r.StdoutDropped, StderrDropped: r.StderrDropped,
		ExitCode: r.ExitCode, Duration: r.Duration, c: c, argv: k.argv,
	}, err
}

// EngineError returns an *Error if the exit seems to be the engine's or the CLI's own, and nil if
// it seems to be the program's. The exit codes 125, 126 and 127 can be either, so EngineError
// reads standard error, where a program in the container can forge the engine's words. Confirm
// the answer with ContainerInspect before anything depends on it.
func (r *Result) EngineError() error {
	if r.ExitCode == 0 {
		return nil
	}
	message := engineMessage(string(r.Stderr))
	if message == "" {
		return nil
	}
	return r.c.failure(r.argv, r.ExitCode, message, nil)
}
