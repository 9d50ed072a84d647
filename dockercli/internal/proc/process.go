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
	// Stdin is the child's standard input. Closing it tells the child to end.
	Stdin io.WriteCloser

	// Stdout is the read end of a pipe whose write end is the child's own descriptor: no
	// goroutine copies, and a slow reader slows the child. Close closes it.
	Stdout *os.File

	c      *child
	stderr *sink
	stop   sync.Once
	stdin  sync.Once
}

// Start starts a command with pipes. ctx is looked at before the start and never again:
// the process lives until it ends by itself or Close or Kill is called, one of which the
// caller owes.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close() // the child has its own copy
	p := &Process{Stdout: r, stderr: newSink(nil, TailCap)}
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

// Pid is the process id. It is for logs: after the end it may be another's.
func (p *Process) Pid() int { return p.c.x.Process.Pid }

// Done is closed when the process has been reaped.
func (p *Process) Done() <-chan struct{} { return p.c.done() }

// ExitCode is -1 while the process runs and when a signal ended it.
func (p *Process) ExitCode() int { return p.c.exitCode() }

// Signal describes the signal that ended the process, or is empty.
func (p *Process) Signal() string {
	select {
	case <-p.Done():
		return p.c.signal()
	default:
		return ""
	}
}

// Stderr is what the process wrote to standard error so far: head and tail, at most
// TailCap bytes, with the number of bytes dropped in between.
func (p *Process) Stderr() ([]byte, int64) { return p.stderr.bytes() }

// Close ends the process by the ladder: close stdin, grace, TERM, grace, KILL. It returns
// when the process is reaped, closes Stdout, and may be called any number of times and at
// once: all callers wait for the one ladder.
func (p *Process) Close() {
	p.stop.Do(func() {
		p.closeStdin()
		if !p.c.within(p.c.grace) {
			p.c.terminate()
		}
		p.Stdout.Close()
	})
}

// Kill ends the process and its group at once, also while Close waits.
func (p *Process) Kill() {
	p.c.kill()
	p.Close()
}

// closeStdin ignores the error of a pipe that the process's end has closed already.
func (p *Process) closeStdin() {
	p.stdin.Do(func() { _ = p.Stdin.Close() })
}
