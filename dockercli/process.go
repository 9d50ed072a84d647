package dockercli

import (
	"context"
	"io"
	"os"

	"github.com/drydock-go/drydock/dockercli/internal/proc"
)

// Process is a CLI process that outlives the call that started it. Close or Kill must be called,
// even after it has ended by itself.
type Process struct {
	// Stdin is the CLI's standard input. To close it is the gentle way to end a program that
	// reads it.
	Stdin io.WriteCloser

	// Stdout is the read end of a pipe whose write end is the CLI's own: a slow reader slows
	// the container. It supports deadlines if os.Pipe does. Close closes it.
	Stdout *os.File

	p    *proc.Process
	c    *Client
	argv []string
}

// start starts the CLI with pipes. ctx has no effect after the start.
func (c *Client) start(ctx context.Context, argv, environ []string) (*Process, error) {
	log := c.logger()
	log.DebugContext(ctx, "container CLI starts", "args", c.display(argv), "long", true)
	p, err := proc.Start(ctx, c.spec(call{argv: argv, environ: environ}))
	if err != nil {
		log.DebugContext(ctx, "container CLI did not start", "args", c.display(argv), "error", err)
		return nil, c.failure(argv, -1, "", err)
	}
	return &Process{Stdin: p.Stdin, Stdout: p.Stdout, p: p, c: c, argv: argv}, nil
}

// Done returns a channel that is closed when the CLI has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.p.Done() }

// ExitCode returns the CLI's exit code: -1 before its end, and if a signal ended it. docker handles
// SIGTERM and exits 143.
func (p *Process) ExitCode() int { return p.p.ExitCode() }

// Stderr returns the first and the last bytes, 32 KiB together, that the CLI and the container wrote
// to standard error so far, and how many bytes are missing in between.
func (p *Process) Stderr() (text []byte, dropped int64) { return p.p.Stderr() }

// Wait waits for the end of the CLI or of ctx. It returns nil after the exit code 0, and after any
// other an *Error with the code and the last lines of standard error. If ctx ends first, Wait
// returns context.Cause(ctx) and the process goes on. The sentinel in the *Error is a guess, since
// a program in the container can write the same words: confirm it with ContainerInspect.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.ExitCode() == 0 {
		return nil
	}
	text, _ := p.Stderr()
	return p.c.exitError(p.argv, proc.Result{
		Stderr: text, ExitCode: p.ExitCode(), Signal: p.p.Signal(),
	})
}

// Close ends the CLI: it closes Stdin, waits 2 s, sends TERM to the CLI's process group, waits 2 s,
// and kills the group. It returns when the CLI is gone, and is idempotent. The container is not
// the CLI's but the engine's: with RunOptions.Remove it is removed when its program ends;
// otherwise, and to be sure, call ContainerRemove.
func (p *Process) Close() error {
	p.p.Close()
	p.c.logger().Debug("container CLI ended", "args", p.c.display(p.argv), "exit", p.ExitCode())
	return nil
}

// Kill ends the CLI at once, even while Close waits. A CLI that is killed while it creates a
// container can leave it behind.
func (p *Process) Kill() error {
	p.p.Kill()
	return nil
}
