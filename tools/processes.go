package tools

import (
	"context"

	"github.com/drydock-go/drydock/sandbox"
)

// processes runs the commands, jobs and interpreters of a Set.
type processes interface {
	run(ctx context.Context, c *sandbox.Command) (*sandbox.Result, error)
	background(ctx context.Context, c *sandbox.Command, o *sandbox.JobOptions) (job, error)
	job(id int) job
	startPython(ctx context.Context, o *sandbox.InterpreterOptions) (interpreter, error)
}

// processesOf returns the processes of a sandbox. A fake in this package's tests is one
// itself, because there are no sandbox.Command, Job and Interpreter without a real sandbox.
func processesOf(sb Sandbox) processes {
	if p, ok := sb.(processes); ok {
		return p
	}
	return sandboxProcesses{sb}
}

type sandboxProcesses struct{ sb Sandbox }

func (p sandboxProcesses) run(ctx context.Context, c *sandbox.Command) (*sandbox.Result, error) {
	return c.Run(ctx)
}

func (p sandboxProcesses) background(ctx context.Context, c *sandbox.Command, o *sandbox.JobOptions) (job, error) {
	return c.Background(ctx, o)
}

func (p sandboxProcesses) job(id int) job { return p.sb.Job(id) }

func (p sandboxProcesses) startPython(ctx context.Context, o *sandbox.InterpreterOptions) (interpreter, error) {
	return p.sb.Interpreter(ctx, sandbox.Python, o)
}
