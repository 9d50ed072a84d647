package dockercli

import (
	"context"
	"io"
	"os"

	"github.com/drydock-go/drydock/dockercli/internal/proc"
)

// Process is a CLI process that outlives the call that started it. Close or Kill must be
// called, also after it has ended by itself.
type Process struct {
	// Stdin is the CLI's standard input; closing it is the gentle way to end a sandbox.
	Stdin io.WriteCloser

	// Stdout is the read end of a pipe to the CLI itself: a slow reader slows the
	// container. It supports deadlines where os.Pipe does. Close closes it.
	Stdout *os.File

	p    *proc.Process
	c    *Client
	argv []string
}

// start starts the CLI with pipes; ctx only guards the start.
func (c *Client) start(ctx context.Context, argv, env []string) (*Process, error) {
	log := c.logger()
	log.DebugContext(ctx, "container CLI starts", "args", c.display(argv), "long", true)
	p, err := proc.Start(ctx, c.spec(call{argv: argv, env: env}))
	if err != nil {
		log.DebugContext(ctx, "container CLI did not start", "args", c.display(argv), "error", err)
		return nil, c.failure(argv, -1, "", err)
	}
	return &Process{Stdin: p.Stdin, Stdout: p.Stdout, p: p, c: c, argv: argv}, nil
}

// Done is closed when the CLI has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.p.Done() }

// ExitCode is the CLI's exit code: -1 before the end, or when a signal ended the CLI. A
// CLI that got SIGTERM exits 143.
func (p *Process) ExitCode() int { return p.p.ExitCode() }

// Stderr is what the CLI and the container wrote to standard error so far: the first and
// the last bytes, 32 KiB together, with a count of the bytes left out in between.
func (p *Process) Stderr() (text []byte, dropped int64) { return p.p.Stderr() }

// Wait waits for the end of the CLI or of ctx. It returns nil after exit 0, an *Error that
// holds the exit code and the last lines of standard error after any other, and
// context.Cause(ctx) when ctx ends first, which does not end the process. The sentinel in
// the *Error is a guess, as a container's program can write the same words: ask Inspect.
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

// Close ends the CLI: it closes Stdin, waits 2 s, sends TERM to the CLI's process group,
// waits 2 s, and kills the group. It returns when the CLI is gone and is idempotent. The
// container is the engine's: with Remove set it goes when its program ends; else, or to be
// sure, call Client.Remove.
func (p *Process) Close() error {
	p.p.Close()
	p.c.logger().Debug("container CLI ended", "args", p.c.display(p.argv), "exit", p.ExitCode())
	return nil
}

// Kill ends the CLI without grace, also while Close waits. A CLI that is killed while it
// creates a container can leave it behind.
func (p *Process) Kill() error {
	p.p.Kill()
	return nil
}
