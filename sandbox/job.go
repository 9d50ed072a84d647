package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// ErrNoJob: there is no background job of that number, or it has ended.
var ErrNoJob = errors.New("no such job")

// DefaultKeep is how many bytes of a background job's output are kept: the last ones.
const DefaultKeep = 256 << 10

// JobOptions say how a command runs in the background; nil is all defaults.
type JobOptions struct {
	// Name is for people, and need not be unique. Default: none.
	Name string
	// Keep is how many bytes of output are kept inside the sandbox, at most 16 MiB. They
	// count against its memory. Default: DefaultKeep.
	Keep int
}

// Job is a command in the background. It ends by itself, by Stop, by its Timeout, or with
// the sandbox; the process that started it may be gone by then, if the sandbox has a
// lease. It is safe for concurrent use.
type Job struct {
	sb *Sandbox
	id int
}

// JobInfo describes a background job.
type JobInfo struct {
	ID       int
	Name     string
	Args     []string
	PID      int // inside the sandbox
	Started  time.Time
	Running  bool
	Terminal bool
	// Result is how it ended, without output; nil while it runs.
	Result *Result
	// First and Next are offsets in all that it wrote: of the oldest byte that is kept,
	// and of the byte after the newest.
	First, Next int64
}

// Background starts the command as a background job and returns when it runs. What it
// writes to stdout and stderr is kept in the sandbox, in the order of writing. A Stdin that
// is not nil only says that the job has one, which Job.Attach writes to. The fields Stdout,
// Stderr, Capture and User are not for jobs.
func (c *Command) Background(ctx context.Context, opts *JobOptions) (*Job, error) {
	o := orZero(opts)
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	j, err := c.background(ctx, &o)
	if err != nil {
		return nil, c.sb.failure("start job", c.name(), err)
	}
	return j, nil
}

func (c *Command) background(ctx context.Context, o *JobOptions) (*Job, error) {
	if c.call != nil {
		return nil, errStarted
	}
	if c.Stdout != nil || c.Stderr != nil || c.User != "" || c.pipes != [3]*pipe{} {
		return nil, invalid("a background job has no Stdout, Stderr, pipes or User: read its output with Job.Attach")
	}
	x, err := c.request()
	if err != nil {
		return nil, invalid("%w", err)
	}
	var m wire.Job
	if err := c.sb.do(ctx, wire.OpJobStart, &wire.JobStart{Exec: *x, Name: o.Name, Keep: o.Keep}, &m); err != nil {
		return nil, err
	}
	return c.sb.Job(m.ID), nil
}

// Job returns the background job of a number. Whether there is one shows with its use.
func (sb *Sandbox) Job(id int) *Job { return &Job{sb: sb, id: id} }

// Jobs returns the background jobs in the order of their start: those that run, and the
// 100 that ended last, or fewer where their output takes more than 4 MiB. The one that ended
// last is always there, and one that somebody waits for or reads for that long.
func (sb *Sandbox) Jobs(ctx context.Context) ([]JobInfo, error) {
	var data []byte
	call, err := sb.ch.Start(&channel.Request{Op: wire.OpJobs, Args: struct{}{}, Stdout: func(p []byte) { data = append(data, p...) }})
	if err == nil {
		err = call.Result(ctx, nil)
	}
	var jobs []JobInfo
	for line := range bytes.Lines(data) {
		var m wire.Job
		if err == nil {
			err = json.Unmarshal(line, &m)
		}
		jobs = append(jobs, jobInfo(&m))
	}
	if err != nil {
		return nil, sb.failure("list jobs", "", err)
	}
	return jobs, nil
}

func jobInfo(m *wire.Job) JobInfo {
	info := JobInfo{ID: m.ID, Name: m.Name, PID: m.PID, Started: time.Unix(0, m.Started),
		Running: m.Exited == nil, Terminal: m.Terminal, First: m.First, Next: m.Next}
	for _, arg := range m.Args {
		info.Args = append(info.Args, string(arg))
	}
	if m.Exited != nil {
		info.Result = &Result{}
		info.Result.fill(m.Exited)
	}
	return info
}

// ID returns its number, which no other job of the sandbox has or will have.
func (j *Job) ID() int { return j.id }

// Info describes the job as it is now.
func (j *Job) Info(ctx context.Context) (JobInfo, error) {
	var m wire.JobReadDone
	// Reading nothing.
	err := j.sb.do(ctx, wire.OpJobRead, &wire.JobRead{ID: j.id, From: 1<<63 - 1}, &m)
	return jobInfo(&m.Job), j.failure("describe job", err)
}

// JobAttachOptions say what Attach does; nil is all defaults.
type JobAttachOptions struct {
	// From is the offset of the first byte wanted. Default: the oldest that is kept.
	From int64
	// Follow goes on until the job ends. Default: until what is there now.
	Follow bool
	// Stdin is written to the job, until its end or Attach's; its end closes the job's
	// stdin. One Attach at a time can have it. Without Follow, Attach goes on until Stdin has
	// been read to its end and the job's stdin has taken all of it or is closed, and until
	// what the job has written by then; a job that does not read can hold it up. A Read error
	// ends Attach with that error and leaves the job's stdin open; of the bytes before it
	// some may be missing. Default: nothing is written.
	Stdin io.Reader
	// Resize are sizes for the job's terminal.
	Resize <-chan Size
}

// Attach writes what the job has written and, with Follow, writes from now on to w. It
// returns the offset of the next byte, to go on from; where it is further from
// AttachOptions.From than w has got bytes, the difference was no longer kept. When ctx
// ends it returns its cause, and the job goes on. With an error next is From and what w has
// got, so that nothing is missed from there on; where bytes were no longer kept some of it
// comes again.
func (j *Job) Attach(ctx context.Context, w io.Writer, opts *JobAttachOptions) (next int64, err error) {
	o := orZero(opts)
	next, err = j.attach(ctx, w, &o)
	return next, j.failure("attach to job", err)
}

func (j *Job) attach(ctx context.Context, w io.Writer, o *JobAttachOptions) (int64, error) {
	if err := context.Cause(ctx); err != nil {
		return o.From, err
	}
	call, err := j.sb.ch.Start(&channel.Request{Op: wire.OpJobRead,
		Args: &wire.JobRead{ID: j.id, From: o.From, Follow: o.Follow, Input: o.Stdin != nil}})
	if err != nil {
		return o.From, err
	}
	stop := context.AfterFunc(ctx, func() {
		call.Cancel(true)
		// Whoever reads is to return now; the guest's answer is not waited for.
		call.Stream.Abort(context.Cause(ctx))
	})
	defer stop()
	if o.Stdin != nil {
		go func() {
			// As for a command's stdin, nobody waits for a Read that blocks.
			stream := &errWriter{w: call.Stream}
			_, err := io.Copy(stream, o.Stdin)
			switch {
			case stream.err != nil:
			case err != nil:
				call.Cancel(true)
				call.Stream.Abort(j.own(fmt.Errorf("stdin: %w", err)))
			default:
				_ = call.Stream.CloseWrite()
			}
		}()
	}
	if o.Resize != nil {
		go func() {
			for {
				select {
				case size, ok := <-o.Resize:
					if !ok {
						return
					}
					// The job may have ended meanwhile.
					_ = j.Resize(ctx, size)
				case <-call.Done():
					return
				}
			}
		}()
	}
	to := &errWriter{w: w}
	n, err := call.Stream.WriteTo(to)
	if cause := context.Cause(ctx); cause != nil {
		return o.From + n, cause
	}
	if err != nil {
		call.Cancel(true)
		if to.err != nil {
			err = j.own(err)
		}
		return o.From + n, err
	}
	var done wire.JobReadDone
	if err := call.Result(ctx, &done); err != nil {
		return o.From + n, err
	}
	return done.Next, nil
}

// own makes the error of a reader or writer of the caller, which says nothing of the sandbox
// whatever it is.
func (j *Job) own(err error) error {
	return &Error{Op: "attach to job", Name: strconv.Itoa(j.id), Err: err}
}

// Output returns what is kept of the job's output, and whether bytes before it are gone.
func (j *Job) Output(ctx context.Context) (output []byte, dropped int64, err error) {
	var b bytes.Buffer
	next, err := j.Attach(ctx, &b, nil)
	return b.Bytes(), max(0, next-int64(b.Len())), err
}

// Wait waits until the job has ended and returns its result, with the output that is kept
// as Stdout. Where nothing of it is kept any more, since many other jobs have ended by then,
// StdoutDropped is all that the job wrote.
func (j *Job) Wait(ctx context.Context) (*Result, error) {
	var m wire.JobWaited
	if err := j.sb.do(ctx, wire.OpJobWait, &wire.JobWait{ID: j.id}, &m); err != nil {
		return nil, j.failure("wait for job", err)
	}
	return j.result(ctx, &m.Job)
}

func (j *Job) result(ctx context.Context, m *wire.Job) (r *Result, err error) {
	r = jobInfo(m).Result
	if r == nil {
		return nil, j.failure("wait for job", &wire.ProtocolError{Reason: "a job that runs was said to have ended"})
	}
	r.Stdout, r.StdoutDropped, err = j.Output(ctx)
	if errors.Is(err, ErrNoJob) {
		// The guest has forgotten it since it told how the job ended.
		r.Stdout, r.StdoutDropped, err = nil, m.Next, nil
	}
	return r, err
}

// JobLine is a line of a job's output.
type JobLine struct {
	Text string // without its end
	Next int64  // the offset after it, to wait on from
}

// WaitLine waits for a line that matches a regular expression (RE2), in what the job has
// written from an offset on and writes from now on. A last line without an end counts, so
// that a prompt can be waited for. When the job ends without such a line, the error is
// ErrNoMatch.
func (j *Job) WaitLine(ctx context.Context, pattern string, from int64) (JobLine, error) {
	pattern = cmp.Or(pattern, "^")
	var m wire.JobWaited
	err := j.sb.do(ctx, wire.OpJobWait, &wire.JobWait{ID: j.id, Pattern: []byte(pattern), From: from}, &m)
	if err == nil && !m.Found {
		err = &Error{Code: CodeNoMatch, Err: fmt.Errorf("the job ended without a line that matches %q", pattern)}
	}
	return JobLine{string(m.Line), m.Next}, j.failure("wait for job", err)
}

// Signal sends a signal to the job's process group. For a job that has ended it is
// ErrNoJob.
func (j *Job) Signal(ctx context.Context, s Signal) error {
	if err := s.check(); err != nil {
		return j.failure("signal job", err)
	}
	return j.signal(ctx, "signal job", wire.Signal{Number: int(s)})
}

// Resize tells a job with a Terminal another size.
func (j *Job) Resize(ctx context.Context, s Size) error {
	return j.signal(ctx, "resize job", wire.Signal{Size: &wire.Size{Rows: s.Rows, Cols: s.Cols}})
}

func (j *Job) signal(ctx context.Context, op string, s wire.Signal) error {
	return j.failure(op, j.sb.do(ctx, wire.OpJobSignal, &wire.JobSignal{ID: j.id, Signal: s}, nil))
}

// Stop ends the job and all processes that came of it: SIGTERM, grace, SIGKILL; 0 is
// DefaultGrace and a negative one leaves SIGTERM out. It returns the result as Wait does.
// Of a job that has ended it ends what that left behind.
func (j *Job) Stop(ctx context.Context, grace time.Duration) (*Result, error) {
	c := Command{Grace: grace}
	var m wire.Job
	if err := j.sb.do(ctx, wire.OpJobStop, &wire.JobStop{ID: j.id, Grace: int64(c.grace())}, &m); err != nil {
		return nil, j.failure("stop job", err)
	}
	return j.result(ctx, &m)
}

func (j *Job) failure(op string, err error) error {
	return j.sb.failure(op, strconv.Itoa(j.id), err)
}
