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

// ErrNoJob: there is no background job of that number, or it has ended and can get no signal.
var ErrNoJob = errors.New("no such job")

// DefaultKeep is how many bytes of a background job's output are kept by default: its end.
const DefaultKeep = 256 << 10

// JobOptions say how a command runs in the background; nil is all defaults.
type JobOptions struct {
	// Name is for people, at most 4 KiB long, and need not be unique. Default: none.
	Name string
	// Keep is how many bytes of output are kept inside the sandbox, at most 16 MiB. They
	// count against its memory. Default: DefaultKeep.
	Keep int
}

// Job is a command in the background. It ends by itself, by Stop, by its Timeout, or with the
// sandbox. If the sandbox has a Lease, the job can outlive the process that started it. It is
// safe for concurrent use.
type Job struct {
	sb *Sandbox
	id int
}

// JobInfo describes a background job.
type JobInfo struct {
	ID   int
	Name string
	// Args are the command's; nil if it ended so long ago that later jobs with 4 MiB of
	// arguments have ended since.
	Args     []string
	PID      int // inside the sandbox
	Started  time.Time
	Running  bool
	Terminal bool
	// Result is how it ended, without output. It is nil while the job runs.
	Result *Result
	// First and Next are offsets in bytes in the job's whole output: First is the oldest byte
	// that is kept, and Next the one after the newest.
	First, Next int64
}

// Background starts the command as a background job and returns when it runs. The end of its
// output, stdout and stderr in the order of writing, is kept in the sandbox. Any Stdin that is
// not nil gives the job a stdin, which Job.Attach writes to; the reader itself is not used.
// Stdout, Stderr, pipes and User are CodeInvalid, and Capture is ignored.
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

// Job returns the background job of a number. It does not ask the guest: if there is none, the
// job's methods return ErrNoJob.
func (sb *Sandbox) Job(id int) *Job { return &Job{sb: sb, id: id} }

// Jobs returns the background jobs in the order of their start: all that run, and the 100 that
// ended last. Job.Wait and Job.Info have the results of the last 10,000. 4 MiB of their output
// are kept in all: the job that ended longest ago loses its output first, but no job does
// while a call waits for it or reads it.
func (sb *Sandbox) Jobs(ctx context.Context) ([]JobInfo, error) {
	data, err := sb.collect(ctx, wire.OpJobs, struct{}{}, maxListing, nil)
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
	// A read from the end of the longest output: it returns no bytes.
	err := j.sb.do(ctx, wire.OpJobRead, &wire.JobRead{ID: j.id, From: 1<<63 - 1}, &m)
	return jobInfo(&m.Job), j.failure("describe job", err)
}

// JobAttachOptions say what Job.Attach does; nil is all defaults.
type JobAttachOptions struct {
	// From is the offset of the first byte, in bytes. Default: the oldest that is kept.
	From int64
	// Follow goes on until the job ends. Default: Attach returns after the output so far.
	Follow bool
	// Stdin is copied to the job's stdin until it ends, or until Attach returns. When it ends,
	// the job's stdin is closed. One Attach at a time can have a Stdin: for a second one the
	// Code is busy. Without Follow, Attach waits until the job has read all of Stdin, or has
	// closed its stdin, and returns after the output until then; a job that does not read can
	// delay that. A Read error ends Attach with that error and leaves the job's stdin open;
	// the last bytes before the error may not have reached the job. Default: nothing is
	// written.
	Stdin io.Reader
	// Resize has new sizes for the job's terminal. Default: the size stays.
	Resize <-chan Size
}

// Attach copies the job's output to w: the output so far and, with Follow, further output until
// the job ends. It returns the offset of the next byte, to resume from. If next is more than
// From plus the bytes written to w, the difference was no longer kept. When ctx ends, Attach
// returns its cause, and the job goes on.
//
// On error, next is From plus the bytes written to w. Resuming there misses nothing, but may
// repeat output if older bytes were no longer kept.
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
		// The reader returns now, without waiting for the guest's answer.
		call.Stream.Abort(context.Cause(ctx))
	})
	defer stop()
	if o.Stdin != nil {
		go j.copyStdin(call, o.Stdin)
	}
	if o.Resize != nil {
		go j.resizeEach(ctx, call, o.Resize)
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

// copyStdin copies r to the job's stdin, and closes that at the end of r. Nobody waits for it,
// because a Read may block for ever.
func (j *Job) copyStdin(call *channel.Call, r io.Reader) {
	stdin := &errWriter{w: call.Stream}
	_, err := io.Copy(stdin, r)
	switch {
	case stdin.err != nil:
		// The job's stdin is closed, or the call has ended.
	case err != nil:
		call.Cancel(true)
		call.Stream.Abort(j.own(fmt.Errorf("stdin: %w", err)))
	default:
		_ = call.Stream.CloseWrite()
	}
}

// resizeEach gives the job's terminal each size that comes, until the call ends.
func (j *Job) resizeEach(ctx context.Context, call *channel.Call, sizes <-chan Size) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok {
				return
			}
			// It fails if the job has ended meanwhile.
			_ = j.Resize(ctx, size)
		case <-call.Done():
			return
		}
	}
}

// own wraps an error of the caller's reader or writer. It keeps failure from taking such an
// error, for example io.EOF, for the end of the sandbox.
func (j *Job) own(err error) error {
	return &Error{Op: "attach to job", Name: strconv.Itoa(j.id), Err: err}
}

// Output returns the output that is kept, and how many bytes before it were dropped.
func (j *Job) Output(ctx context.Context) (output []byte, dropped int64, err error) {
	var b bytes.Buffer
	next, err := j.Attach(ctx, &b, nil)
	return b.Bytes(), max(0, next-int64(b.Len())), err
}

// Wait waits until the job has ended and returns its result, with the kept output as Stdout.
// StdoutDropped counts the bytes before it that are not kept any more: all of them, if jobs that
// ended since wrote more than Jobs says is kept. An ended ctx ends the waiting, not the job.
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
		// The guest has dropped the job since it reported its end.
		r.Stdout, r.StdoutDropped, err = nil, m.Next, nil
	}
	return r, err
}

// JobLine is a line of a job's output.
type JobLine struct {
	Text string // without the line's end
	Next int64  // the offset after the line, to go on from
}

// WaitLine waits for a line of the job's output that matches a regular expression (RE2). It
// begins at the offset from, in bytes, and goes on with further output. An unfinished last line
// counts, so that a prompt can be waited for. If the job ends without such a line, the error is
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

// Signal sends a signal to the job's process group. If the job has ended, the error is
// ErrNoJob.
func (j *Job) Signal(ctx context.Context, s Signal) error {
	if err := s.check(); err != nil {
		return j.failure("signal job", err)
	}
	return j.signal(ctx, "signal job", wire.Signal{Number: int(s)})
}

// Resize changes the size of the job's terminal. A job without a Terminal is CodeInvalid.
func (j *Job) Resize(ctx context.Context, s Size) error {
	return j.signal(ctx, "resize job", wire.Signal{Size: &wire.Size{Rows: s.Rows, Cols: s.Cols}})
}

func (j *Job) signal(ctx context.Context, op string, s wire.Signal) error {
	return j.failure(op, j.sb.do(ctx, wire.OpJobSignal, &wire.JobSignal{ID: j.id, Signal: s}, nil))
}

// Stop ends the job and all processes that came of it: SIGTERM and, after grace, SIGKILL. A
// grace of 0 means DefaultGrace, and a negative one leaves SIGTERM out. Stop returns the result
// as Wait does. If the job has ended already, Stop ends the processes that it left behind.
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
