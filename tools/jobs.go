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
	// early is how long start_job waits for a command that fails at once.
	early = 500 * time.Millisecond
	// mostJob bounds the number of a job.
	mostJob = 1_000_000_000
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

// jobState is what a Set knows of a background job.
type jobState struct {
	own  bool  // the Set has started it
	read int64 // the offset after what was shown of its output
	wait int64 // the offset from which on lines are waited for
}

// jobState returns a copy of what is known.
func (s *Set) jobState(id int) jobState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil {
		return *j
	}
	return jobState{}
}

// changeJob changes what is known.
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

// jobID is the parameter that all but start_job have.
var jobID = param{name: "id", kind: "integer", about: "The job's id, as start_job and list_jobs give it.", want: "the job's id", required: true, min: 1, max: mostJob}

func startJobTool() Tool {
	return Tool{
		Name: "start_job", op: OpExecute, Destructive: true, run: (*call).startJob,
		Description: "Start a shell command (/bin/sh -c) in the background, such as a server or a long build, and return its id with what it writes in the first half second. Write it without & at its end. It has no time limit, no terminal and empty stdin, and goes on until it ends by itself or by stop_job. Use job_output for what it writes.",
		params: []param{
			commandParam("The command."),
			{name: "name", kind: "string", about: "A name for list_jobs.", want: "a short name", min: 1, max: 100},
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
	// What is wrong with a command mostly shows at once, and spares the model a call.
	waiting, cancel := context.WithTimeout(ctx, early)
	_, err = j.Wait(waiting)
	over := waiting.Err() != nil
	cancel()
	if err != nil && !over {
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

// job finds a job that the call may be about.
func (c *call) job(ctx context.Context, id int) (job, *sandbox.JobInfo, error) {
	j := c.processes.job(id)
	info, err := j.Info(ctx)
	if err != nil {
		return nil, nil, c.jobFailure(ctx, id, err)
	}
	return j, &info, c.permitJob(ctx, &info)
}

// jobFailure is failure for what is about a job.
func (c *call) jobFailure(ctx context.Context, id int, err error) error {
	if errors.Is(err, sandbox.ErrNoJob) && context.Cause(ctx) == nil {
		return stop("there is no job %d, or it has ended long ago: use list_jobs for those that there are", id)
	}
	return c.failure(ctx, fmt.Sprintf("job %d", id), err)
}

// jobEntry is a job in JSON; list_jobs gives {"jobs": [...], "more": 0}.
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

func describeJob(info *sandbox.JobInfo) jobEntry {
	const longest = 2000
	e := jobEntry{ID: info.ID, Name: clean(info.Name), Command: cutText(clean(jobCommand(info)), longest),
		Started: info.Started.UTC(), Running: info.Running}
	if r := info.Result; r != nil {
		e.Outcome, e.ExitCode, e.Signal = string(r.Outcome), &r.ExitCode, r.Signal
	}
	return e
}

var harmless = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// jobCommand is the shell command of a job, whoever started it.
func jobCommand(info *sandbox.JobInfo) string {
	if len(info.Args) == 3 && info.Args[0] == "/bin/sh" && info.Args[1] == "-c" {
		return info.Args[2]
	}
	var words []string
	for i, arg := range info.Args {
		if !harmless.MatchString(arg) || i == 0 && strings.Contains(arg, "=") {
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
		if a.Running != b.Running {
			if a.Running {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.ID, a.ID)
	})
	type listed struct {
		jobEntry
		Output int64 `json:"output_bytes"`
		Unread int64 `json:"unread_bytes"`
	}
	entries, left := []listed{}, 0
	p := c.page()
	for i := range jobs {
		info := &jobs[i]
		state := c.jobState(info.ID)
		if !state.own {
			// Another's command may be none of this agent's business.
			if action, _, _ := c.policy.command(jobCommand(info)); action == Deny {
				continue
			}
		}
		l := listed{describeJob(info), info.Next, max(0, info.Next-state.read)}
		if left > 0 || !p.add(l.line(info, l.Output, l.Unread)) {
			left++
			continue
		}
		entries = append(entries, l)
	}
	if len(entries) == 0 && left == 0 {
		p.WriteString("no jobs: start one with start_job\n")
	}
	if left > 0 {
		fmt.Fprintf(p, "[%s not shown]\n", plural(left, "older job", "older jobs"))
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Jobs []listed `json:"jobs"`
		More int      `json:"more"`
	}{entries, left})}, nil
}

func (e *jobEntry) line(info *sandbox.JobInfo, output, unread int64) string {
	const longest = 200
	name, state := "", ""
	if e.Name != "" {
		name = " (" + show(e.Name) + ")"
	}
	if info.Running {
		// The sandbox's clock may be another machine's.
		state = fmt.Sprintf("runs for %v", max(0, time.Since(info.Started)).Round(time.Second))
	} else {
		state = "has ended: " + ending(info.Result)
	}
	command := cutText(e.Command, longest)
	if command != e.Command {
		command += "..."
	}
	return fmt.Sprintf("job %d%s %s; %d bytes of output, %d not read; %s", e.ID, name, state, output, unread, show(command))
}

func stopJobTool() Tool {
	return Tool{
		Name: "stop_job", op: OpExecute, Destructive: true, run: (*call).stopJob,
		Description: fmt.Sprintf("End a background job with all processes that came of it: SIGTERM, and SIGKILL %v later where that was not enough.", sandbox.DefaultGrace),
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
	}{describeJob(&info), string(r.Rung)})}, nil
}
