package proc

import (
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
)

// Process is a command that outlives the call that started it.
type Process struct {
	// Stdin is the child's standard input. To close it tells the child to end.
	Stdin io.WriteCloser

	// Stdout is the read end of a pipe whose write end the child has: no goroutine copies,
	// and a slow reader slows the child. Close closes it.
	Stdout *os.File

	c      *child
	stderr *sink
	stop   sync.Once
	stdin  sync.Once
}

// Start starts a command with pipes. ctx has no effect after the start: the process lives until it
// ends by itself or Close or Kill is called. The caller has to call one of the two.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close() // the child has its own copy
	p := &Process{Stdout: r, stderr: newSink(nil, MaxMessage)}
	p.c, err = launch(spec, p.stderr, func(x *exec.Cmd) error {
		x.Stdout = w
		p.Stdin, err = x.StdinPipe()
		return err
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	return p, nil
}

// Pid returns the process id. It is for logs: after the end it may be that of another process.
func (p *Process) Pid() int { return p.c.exec.Process.Pid }

// Done returns a channel that is closed when the process has been reaped.
func (p *Process) Done() <-chan struct{} { return p.c.done() }

// ExitCode returns the exit code: -1 while the process runs, and if a signal ended it.
func (p *Process) ExitCode() int { return p.c.exitCode() }

// Signal returns a description of the signal that ended the process, or "".
func (p *Process) Signal() string {
	select {
	case <-p.Done():
		return p.c.signal()
	default:
		return ""
	}
}

// Stderr returns the first and the last bytes, at most MaxMessage together, that the process wrote to
// standard error so far, and how many bytes are missing in between.
func (p *Process) Stderr() ([]byte, int64) { return p.stderr.bytes() }

// Close ends the process by the ladder: close stdin, grace, TERM, grace, KILL. It returns when the
// process is reaped, and closes Stdout. It may be called any number of times, also concurrently:
// all callers wait for the one ladder.
func (p *Process) Close() {
	p.stop.Do(func() {
		p.closeStdin()
		if !p.c.within(p.c.grace) {
			p.c.terminate()
		}
		p.Stdout.Close()
	})
}

// Kill ends the process and its group at once, even while Close waits.
func (p *Process) Kill() {
	p.c.kill()
	p.Close()
}

// closeStdin ignores the error of a pipe that was closed when the process ended.
func (p *Process) closeStdin() {
	p.stdin.Do(func() { _ = p.Stdin.Close() })
}
