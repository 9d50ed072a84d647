package tools

import (
	"context"
	"fmt"

	"github.com/drydock-go/drydock/sandbox"
)

// stopJobDescription has the grace for %v.
const stopJobDescription = "End a background job with all of its processes: SIGTERM, and SIGKILL %v later if that was " +
	"not enough."

func stopJobTool() Tool {
	return Tool{
		Name: "stop_job", op: OpExecute, Destructive: true, run: (*call).stopJob,
		Description: fmt.Sprintf(stopJobDescription, sandbox.DefaultGrace),
		params:      []param{jobID},
	}
}

func (c *call) stopJob(ctx context.Context) (*Result, error) {
	id := c.args.num("id")
	j, before, err := c.job(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := j.Stop(ctx, sandbox.DefaultGrace)
	if err != nil {
		return nil, c.jobFailure(ctx, id, err)
	}
	text := fmt.Sprintf("job %d has ended: %s", id, ending(r))
	if r.Rung == sandbox.RungKill {
		text += fmt.Sprintf(", because SIGTERM did not end it within %v", sandbox.DefaultGrace)
	}
	if !before.Running {
		text = fmt.Sprintf("job %d had ended before: %s; the processes that it left were killed", id, ending(r))
	}
	info, err := j.Info(ctx)
	if err != nil {
		return nil, c.jobFailure(ctx, id, err)
	}
	if n := info.Next - c.jobState(id).read; n > 0 {
		text += fmt.Sprintf("\n[%d bytes of its output are not read: use job_output]", n)
	}
	return &Result{Text: text, JSON: structured(struct {
		jobEntry
		Rung string `json:"rung"`
	}{jobEntryOf(&info), string(r.Rung)})}, nil
}
