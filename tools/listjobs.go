package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

func listJobsTool() Tool {
	return Tool{
		Name: "list_jobs", op: OpExecute, ReadOnly: true, run: (*call).listJobs,
		Description: "List the background jobs: those that run, then those that have ended and how, the newest first.",
	}
}

func (c *call) listJobs(ctx context.Context) (*Result, error) {
	jobs, err := c.sb.Jobs(ctx)
	if err != nil {
		return nil, c.failure(ctx, "jobs", err)
	}
	slices.SortStableFunc(jobs, func(a, b sandbox.JobInfo) int {
		return cmp.Or(trueFirst(a.Running, b.Running), cmp.Compare(b.ID, a.ID))
	})
	type listEntry struct {
		jobEntry
		Output int64 `json:"output_bytes"`
		Unread int64 `json:"unread_bytes"`
	}
	entries, more := []listEntry{}, 0
	p := c.page()
	for i := range jobs {
		info := &jobs[i]
		state := c.jobState(info.ID)
		if !state.own {
			// A job whose command the rules deny is not listed.
			if action, _, _ := c.policy.command(jobCommand(info)); action == Deny {
				continue
			}
		}
		e := listEntry{jobEntryOf(info), info.Next, max(0, info.Next-state.read)}
		if more > 0 || !p.add(e.line(info, e.Output, e.Unread)) {
			more++
			continue
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 && more == 0 {
		p.WriteString("no jobs: start one with start_job\n")
	}
	if more > 0 {
		fmt.Fprintf(p, "[%s not shown]\n", plural(more, "older job", "older jobs"))
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Jobs []listEntry `json:"jobs"`
		More int         `json:"more"`
	}{entries, more})}, nil
}

// line returns the job as a line of list_jobs.
func (e *jobEntry) line(info *sandbox.JobInfo, output, unread int64) string {
	const maxCommand = 200 // bytes
	name, state := "", ""
	if e.Name != "" {
		name = " (" + show(e.Name) + ")"
	}
	if info.Running {
		// The job's start is by the clock of the sandbox, which may differ from this one.
		state = fmt.Sprintf("runs for %v", max(0, time.Since(info.Started)).Round(time.Second))
	} else {
		state = "has ended: " + ending(info.Result)
	}
	command := cutText(e.Command, maxCommand)
	if command != e.Command {
		command += "..."
	}
	return fmt.Sprintf("job %d%s %s; %d bytes of output, %d not read; %s", e.ID, name, state, output, unread, show(command))
}
