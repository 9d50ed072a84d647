package tools

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

const jobOutputDescription = "Return what a background job has written to stdout and stderr since the last call of " +
	"job_output, and whether it still runs or how it has ended."

func jobOutputTool(o *Options) Tool {
	timeout, maxTimeout := o.seconds()
	return Tool{
		Name: "job_output", op: OpExecute, ReadOnly: true, run: (*call).jobOutput, Description: jobOutputDescription,
		params: []param{
			jobID,
			{name: "offset", kind: "integer", min: 0, max: 1 << 53,
				about: "Return the output from this byte on, from 0. Default: what is new.", want: "the number of a byte"},
			{name: "wait_for", kind: "string", min: 1, max: 10_000, want: "a regular expression",
				about: "Wait until a line of the output since the last job_output matches this regular expression (RE2), " +
					"such as a server's \"listening on\"."},
			{name: "wait_seconds", kind: "integer", min: 1, max: maxTimeout, want: "the seconds",
				about: fmt.Sprintf("Seconds to wait for that line at most (%d unless given); "+
					"without wait_for, to wait for the job's end.", timeout)},
		},
	}
}

func (c *call) jobOutput(ctx context.Context) (*Result, error) {
	id, pattern := c.args.num("id"), c.args.str("wait_for")
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, badRegexp("wait_for", err)
	}
	j, _, err := c.job(ctx, id)
	if err != nil {
		return nil, err
	}
	from, state := int64(-1), c.jobState(id)
	if n, ok := c.args["offset"].(int); ok {
		from, state.wait = int64(n), int64(n)
	}
	w, err := c.waitJob(ctx, j, pattern, state.wait)
	if err != nil {
		return nil, err
	}
	p, err := c.readJob(ctx, j, from)
	if err != nil {
		return nil, err
	}
	c.changeJob(id, func(s *jobState) {
		switch {
		case w.line != nil:
			s.wait = w.line.Next // lines after it are shown now, and can still be waited for
		case p.lastLine >= 0:
			s.wait = p.lastLine
		}
	})
	r := p.result("", c.Set, w)
	r.IsError = w.none
	return r, nil
}

// waited is the outcome of waiting for a job.
type waited struct {
	line *sandbox.JobLine // the line that matched, or nil
	none bool             // the job ended without such a line
	note string           // for the model
}

// waitJob waits for a line of a job, or for its end, if the call asks for that.
func (c *call) waitJob(ctx context.Context, j job, pattern string, from int64) (*waited, error) {
	seconds, given := c.args.num("wait_seconds"), c.args["wait_seconds"] != nil
	switch {
	case pattern == "" && !given:
		return &waited{}, nil
	case !given:
		seconds, _ = c.o.seconds()
	}
	waiting, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	var line sandbox.JobLine
	var err error
	if pattern == "" {
		_, err = j.Wait(waiting)
	} else {
		line, err = j.WaitLine(waiting, pattern, from)
	}
	w := &waited{}
	switch {
	case err == nil && pattern != "":
		w.line, w.note = &line, "the line that matches: "+show(cutText(plain(line.Text), 100))
	case err == nil:
	case errors.Is(err, sandbox.ErrNoMatch):
		w.none = true
		w.note = "no line matches wait_for, and the job writes no more: look at its output, and start it again with start_job if it has failed"
	case context.Cause(ctx) == nil && waiting.Err() != nil && pattern == "":
		w.note = fmt.Sprintf("it has not ended within %d s: call job_output again, or stop_job", seconds)
	case context.Cause(ctx) == nil && waiting.Err() != nil:
		w.note = fmt.Sprintf("no line matched wait_for within %d s: call job_output again to wait on", seconds)
	default:
		return nil, c.jobFailure(ctx, j.ID(), err)
	}
	return w, nil
}

// part is a part of a job's output.
type part struct {
	info     sandbox.JobInfo
	text     string
	first    int64 // the offset of its first byte
	next     int64 // the offset of the byte after it
	gone     int64 // how many bytes before first were asked for and are no longer kept
	dropped  int64 // how many bytes in its middle are not in text
	gap      int64 // the offset of the first of them
	lastLine int64 // the offset of the last line, or -1
}

// readJob reads a job's output from an offset. A negative one is the offset up to which the
// Set has read it.
func (c *call) readJob(ctx context.Context, j job, from int64) (*part, error) {
	id := j.ID()
	unlock, err := c.lock(ctx, fmt.Sprintf("job %d", id))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if from < 0 {
		from = c.jobState(id).read
	}
	out := &headTail{limit: c.o.MaxOutput - 2*reserve}
	p := &part{next: from, lastLine: -1}
	// Read a second time, for output written between the first reading and the job's end.
	for range 2 {
		at, size := p.next, out.size()
		if p.next, err = j.Attach(ctx, out, &sandbox.JobAttachOptions{From: at}); err != nil {
			return nil, c.jobFailure(ctx, id, err)
		}
		if p.next < at {
			return nil, stop("offset %d is past the end of the output of job %d, which is at %d: leave offset out for what is new", at, id, p.next)
		}
		p.gone += max(0, p.next-at-(out.size()-size))
		if p.info, err = j.Info(ctx); err != nil {
			return nil, c.jobFailure(ctx, id, err)
		}
		if p.info.Running || p.info.Next <= p.next {
			break
		}
	}
	p.first = from + p.gone
	if p.info.Running {
		p.next -= out.takeBack()
	}
	if n := out.lastLine(); n >= 0 {
		p.lastLine = p.next - n
	}
	p.text, p.dropped = out.text()
	p.gap = p.first + int64(len(out.head))
	c.changeJob(id, func(s *jobState) { s.read = p.next })
	return p, nil
}

// result shows the part and the state of its job after a text to begin with; w may be nil.
func (p *part) result(begin string, s *Set, w *waited) *Result {
	var b strings.Builder
	b.WriteString(begin)
	if p.gone > 0 {
		fmt.Fprintf(&b, "[%d bytes before this are no longer kept]\n", p.gone)
	}
	switch {
	case p.text != "":
		writeOutput(&b, p.text)
	case p.first > 0:
		b.WriteString("(no new output)\n")
	case p.info.Running:
		b.WriteString("(no output yet)\n")
	default:
		b.WriteString("(no output)\n")
	}
	if p.dropped > 0 {
		fmt.Fprintf(&b, "[%d bytes were dropped in the middle: use job_output with offset %d for them]\n", p.dropped, p.gap)
	}
	v := jobEntryOf(&p.info)
	state := struct {
		jobEntry
		First   int64   `json:"offset"`
		Next    int64   `json:"next_offset"`
		Gone    int64   `json:"gone_bytes,omitempty"`
		Dropped int64   `json:"dropped_bytes,omitempty"`
		Line    *string `json:"line,omitempty"`
	}{v, p.first, p.next, p.gone, p.dropped, nil}
	if w != nil {
		if w.note != "" {
			fmt.Fprintf(&b, "[%s]\n", w.note)
		}
		if w.line != nil {
			line := cutText(clean(w.line.Text), s.o.MaxOutput)
			state.Line = &line
		}
	}
	fmt.Fprintf(&b, "[job %d %s]", p.info.ID, p.state(begin != ""))
	return &Result{Text: b.String(), JSON: structured(state)}
}

// state describes the state of the job. started reports whether this call has started it.
func (p *part) state(started bool) string {
	switch {
	case !p.info.Running:
		return "has ended: " + ending(p.info.Result)
	case started:
		return "runs: use job_output for what it writes, stop_job to end it"
	}
	return "runs"
}
