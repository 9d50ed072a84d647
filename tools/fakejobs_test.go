package tools

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"regexp"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// FakeJob is a background job of a Fake. Write is its output, and End ends it.
type FakeJob struct {
	f    *Fake
	id   int
	keep int

	mu      sync.Mutex
	info    sandbox.JobInfo
	output  []byte
	changed chan struct{}
}

var _ processes = (*Fake)(nil)

func (f *Fake) Job(int) *sandbox.Job { panic("Fake.Job was called, and not its job") }

func (f *Fake) Interpreter(context.Context, sandbox.Language, *sandbox.InterpreterOptions) (*sandbox.Interpreter, error) {
	panic("Fake.Interpreter was called, and not its startPython")
}

// Start starts a job that no Set has started.
func (f *Fake) Start(name string, args ...string) *FakeJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := &FakeJob{f: f, id: len(f.jobs) + 1, keep: sandbox.DefaultKeep, changed: make(chan struct{})}
	j.info = sandbox.JobInfo{ID: j.id, Name: name, Args: args, Started: time.Now(), Running: true}
	f.jobs = append(f.jobs, j)
	return j
}

// background plays the command with Run. If that returns a result, the job has ended with it.
func (f *Fake) background(ctx context.Context, c *sandbox.Command, o *sandbox.JobOptions) (job, error) {
	if err := cmp.Or(context.Cause(ctx), f.Err); err != nil {
		return nil, err
	}
	j := f.Start(o.Name, c.Args...)
	if f.Run == nil {
		return j, nil
	}
	c.Stdout = j
	r, err := f.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	if r != nil {
		j.End(*r)
	}
	return j, nil
}

func (f *Fake) job(id int) job { return f.Started(id) }

// Started returns the job of an id, which need not exist.
func (f *Fake) Started(id int) *FakeJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id < 1 || id > len(f.jobs) {
		return &FakeJob{f: f, id: id}
	}
	return f.jobs[id-1]
}

func (f *Fake) Jobs(ctx context.Context) ([]sandbox.JobInfo, error) {
	if err := cmp.Or(context.Cause(ctx), f.Err); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []sandbox.JobInfo
	for _, j := range f.jobs {
		info, _ := j.Info(ctx)
		all = append(all, info)
	}
	return all, nil
}

// Write adds output of the job.
func (j *FakeJob) Write(b []byte) (int, error) {
	j.change(func() { j.output = append(j.output, b...) })
	return len(b), nil
}

// End ends it.
func (j *FakeJob) End(r sandbox.Result) {
	j.change(func() { j.info.Running, j.info.Result = false, &r })
}

func (j *FakeJob) change(do func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	do()
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *FakeJob) ID() int { return j.id }

// begin locks the job.
func (j *FakeJob) begin(ctx context.Context) error {
	j.mu.Lock()
	err := cmp.Or(context.Cause(ctx), j.f.Err)
	if err == nil && j.changed == nil {
		err = &sandbox.Error{Op: "job", Code: sandbox.CodeNoJob, Err: sandbox.ErrNoJob}
	}
	return err
}

func (j *FakeJob) Info(ctx context.Context) (sandbox.JobInfo, error) {
	defer j.mu.Unlock()
	err := j.begin(ctx)
	info := j.info
	info.Next = int64(len(j.output))
	return info, err
}

func (j *FakeJob) Attach(ctx context.Context, w io.Writer, o *sandbox.JobAttachOptions) (int64, error) {
	defer j.mu.Unlock()
	if err := j.begin(ctx); err != nil {
		return 0, err
	}
	n := len(j.output)
	from := min(max(int(o.From), n-j.keep), n)
	_, err := w.Write(j.output[from:])
	return int64(n), err
}

func (j *FakeJob) Wait(ctx context.Context) (*sandbox.Result, error) {
	_, r, err := j.wait(ctx, func() (sandbox.JobLine, bool) { return sandbox.JobLine{}, false })
	return r, err
}

func (j *FakeJob) WaitLine(ctx context.Context, pattern string, from int64) (sandbox.JobLine, error) {
	re := regexp.MustCompile(pattern)
	line, _, err := j.wait(ctx, func() (sandbox.JobLine, bool) {
		next := from
		for line := range bytes.Lines(j.output[min(int(from), len(j.output)):]) {
			next += int64(len(line))
			if text := bytes.TrimSuffix(line, []byte{'\n'}); re.Match(text) {
				return sandbox.JobLine{Text: string(text), Next: next}, true
			}
		}
		return sandbox.JobLine{}, false
	})
	if err == nil && line.Next == 0 {
		err = &sandbox.Error{Op: "wait for job", Code: sandbox.CodeNoMatch, Err: sandbox.ErrNoMatch}
	}
	return line, err
}

func (j *FakeJob) wait(ctx context.Context, found func() (sandbox.JobLine, bool)) (sandbox.JobLine, *sandbox.Result, error) {
	for {
		if err := j.begin(ctx); err != nil {
			j.mu.Unlock()
			return sandbox.JobLine{}, nil, err
		}
		line, ok := found()
		changed, r := j.changed, j.info.Result
		j.mu.Unlock()
		if ok || r != nil {
			return line, r, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return line, nil, context.Cause(ctx)
		}
	}
}

func (j *FakeJob) Stop(ctx context.Context, _ time.Duration) (*sandbox.Result, error) {
	info, err := j.Info(ctx)
	if err == nil && info.Running {
		j.End(sandbox.Result{Outcome: sandbox.Canceled, ExitCode: -1, Signal: "SIGTERM", Rung: sandbox.RungTerm})
		info, err = j.Info(ctx)
	}
	return info.Result, err
}

// fakePython is the interpreter of a Fake.
type fakePython struct{ f *Fake }

func (f *Fake) startPython(ctx context.Context, _ *sandbox.InterpreterOptions) (interpreter, error) {
	if err := cmp.Or(context.Cause(ctx), f.Err); err != nil {
		return nil, err
	}
	if f.Python == nil {
		return nil, fail("start interpreter", "python3", sandbox.CodeCommandNotFound)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.python.starts++
	return fakePython{f}, nil
}

func (p fakePython) Run(ctx context.Context, code string, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
	if err := cmp.Or(context.Cause(ctx), p.f.Err); err != nil {
		return nil, err
	}
	return p.f.Python(ctx, code, o)
}

func (p fakePython) Restart(context.Context) error {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	p.f.python.restarts++
	return p.f.Err
}

func (p fakePython) Close() error {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	p.f.python.closes++
	return nil
}

// Prints is a Python that writes text and returns e.
func Prints(text string, e sandbox.Execution) func(context.Context, string, *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
	if e.Outcome == "" {
		e.Outcome = sandbox.Exited
	}
	return func(_ context.Context, _ string, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		_, _ = io.WriteString(o.Stdout, text)
		return &e, nil
	}
}
