package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

const (
	// startWait is how long start_job waits for a command that fails at once.
	startWait = 500 * time.Millisecond
	// maxJobID bounds the id of a job.
	maxJobID = 1_000_000_000
)

// job is what the tools need of a sandbox.Job.
type job interface {
	ID() int
	Info(ctx context.Context) (sandbox.JobInfo, error)
	Attach(ctx context.Context, w io.Writer, opts *sandbox.AttachOptions) (next int64, err error)
	Wait(ctx context.Context) (*sandbox.Result, error)
	WaitLine(ctx context.Context, pattern string, from int64) (sandbox.JobLine, error)
	Stop(ctx context.Context, grace time.Duration) (*sandbox.Result, error)
}

// jobState is the record that a Set has of a background job.
type jobState struct {
	own  bool  // the Set has started it
	read int64 // the offset in its output up to which the model has seen it
	wait int64 // the offset from which wait_for looks for a line
}

// jobState returns a copy of a job's record.
func (s *Set) jobState(id int) jobState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil {
		return *j
	}
	return jobState{}
}

// changeJob changes the record of a job.
func (s *Set) changeJob(id int, change func(*jobState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil {
		j = &jobState{}
		s.jobs[id] = j
	}
	change(j)
}

// jobID is the parameter of tools that are about one job.
var jobID = param{name: "id", kind: "integer", required: true, min: 1, max: maxJobID,
	about: "The job's id, as start_job and list_jobs give it.", want: "the job's id"}

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

// job finds a job, if the call may be about it.
func (c *call) job(ctx context.Context, id int) (job, *sandbox.JobInfo, error) {
	j := c.processes.job(id)
	info, err := j.Info(ctx)
	if err != nil {
		return nil, nil, c.jobFailure(ctx, id, err)
	}
	return j, &info, c.permitJob(ctx, &info)
}

// jobFailure is failure for an operation on a job.
func (c *call) jobFailure(ctx context.Context, id int, err error) error {
	if errors.Is(err, sandbox.ErrNoJob) && context.Cause(ctx) == nil {
		return stop("there is no job %d, or it ended long ago: use list_jobs for those that there are", id)
	}
	return c.failure(ctx, fmt.Sprintf("job %d", id), err)
}

// jobEntry is a job in JSON. That of list_jobs is {"jobs": [...], "more": 0}.
type jobEntry struct {
	ID       int       `json:"id"`
	Name     string    `json:"name,omitempty"`
	Command  string    `json:"command"`
	Started  time.Time `json:"started"`
	Running  bool      `json:"running"`
	Outcome  string    `json:"outcome,omitempty"`
	ExitCode *int      `json:"exit_code,omitempty"`
	Signal   string    `json:"signal,omitempty"`
}

func jobEntryOf(info *sandbox.JobInfo) jobEntry {
	const maxCommand = 2000 // bytes
	e := jobEntry{ID: info.ID, Name: clean(info.Name), Command: cutText(clean(jobCommand(info)), maxCommand),
		Started: info.Started.UTC(), Running: info.Running}
	if r := info.Result; r != nil {
		e.Outcome, e.ExitCode, e.Signal = string(r.Outcome), &r.ExitCode, r.Signal
	}
	return e
}

// plainWord matches a word that needs no quotes in the shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// jobCommand returns the command of a job as one of the shell, whoever started it.
func jobCommand(info *sandbox.JobInfo) string {
	if len(info.Args) == 3 && info.Args[0] == "/bin/sh" && info.Args[1] == "-c" {
		return info.Args[2]
	}
	var words []string
	for i, arg := range info.Args {
		if !plainWord.MatchString(arg) || i == 0 && strings.Contains(arg, "=") {
			arg = quote(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

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
			// The rules may hide it, as they would deny its command.
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
		text = fmt.Sprintf("job %d had ended before: %s; what it left running was killed", id, ending(r))
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
