package tools

import (
	"context"
	"fmt"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// startWait is how long start_job waits for a command that fails at once.
const startWait = 500 * time.Millisecond

const startJobDescription = "Start a shell command (/bin/sh -c) in the background, such as a server or a long build, " +
	"and return its id with what it writes in the first half second. Write it without & at its end. It has no time " +
	"limit, no terminal and empty stdin, and goes on until it ends by itself or by stop_job. Use job_output for what " +
	"it writes."

func startJobTool() Tool {
	return Tool{
		Name: "start_job", op: OpExecute, Destructive: true, run: (*call).startJob, Description: startJobDescription,
		params: []param{
			commandParam,
			{name: "name", kind: "string", min: 1, max: 100, about: "A name for list_jobs.", want: "a short name"},
		},
	}
}

func (c *call) startJob(ctx context.Context) (*Result, error) {
	command, err := c.command(ctx)
	if err != nil {
		return nil, err
	}
	j, err := c.processes.background(ctx, c.shell(command), &sandbox.JobOptions{Name: c.args.str("name")})
	if err != nil {
		return nil, c.noShell(ctx, err)
	}
	id := j.ID()
	c.changeJob(id, func(s *jobState) { s.own = true })
	// A wrong command mostly fails at once, and its result now spares the model a call.
	waiting, cancel := context.WithTimeout(ctx, startWait)
	_, err = j.Wait(waiting)
	running := waiting.Err() != nil
	cancel()
	if err != nil && !running {
		return nil, c.jobFailure(ctx, id, err)
	}
	p, err := c.readJob(ctx, j, -1)
	if err != nil {
		return nil, err
	}
	r := p.result(fmt.Sprintf("job %d was started\n", id), c.Set, nil)
	r.IsError = !p.info.Running && !p.info.Result.OK()
	return r, nil
}
