package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// job is what the tools need of a sandbox.Job.
type job interface {
	ID() int
	Info(ctx context.Context) (sandbox.JobInfo, error)
	Attach(ctx context.Context, w io.Writer, opts *sandbox.JobAttachOptions) (next int64, err error)
	Wait(ctx context.Context) (*sandbox.Result, error)
	WaitLine(ctx context.Context, pattern string, from int64) (sandbox.JobLine, error)
	Stop(ctx context.Context, grace time.Duration) (*sandbox.Result, error)
}

// maxJobID bounds the id of a job.
const maxJobID = 1_000_000_000

// jobID is the parameter of tools that are about one job.
var jobID = param{name: "id", kind: "integer", required: true, min: 1, max: maxJobID,
	about: "The job's id, as start_job and list_jobs give it.", want: "the job's id"}

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
