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

func jobOutputTool(o *Options) Tool {
	usual, longest := o.seconds()
	return Tool{
		Name: "job_output", op: OpExecute, ReadOnly: true, run: (*call).jobOutput,
		Description: "Return what a background job has written to stdout and stderr since this was last asked, and whether it still runs or how it has ended.",
		params: []param{
			jobID,
			{name: "offset", kind: "integer", about: "Return the output from this byte on, from 0. Default: what is new.", want: "the number of a byte", min: 0, max: 1 << 53},
			{name: "wait_for", kind: "string", about: "Wait until a line of the output since the last job_output matches this regular expression (RE2), such as a server's \"listening on\".", want: "a regular expression", min: 1, max: 10_000},
			{name: "wait_seconds", kind: "integer", about: fmt.Sprintf("Seconds to wait for that line at most (%d unless given); without wait_for, to wait for the job's end.", usual), want: "the seconds", min: 1, max: longest},
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
			s.wait = w.line.Next // the lines after it were shown, but can be waited for
		case p.line >= 0:
			s.wait = p.line
		}
	})
	r := p.result("", c.Set, w)
	r.IsError = w.none
	return r, nil
}

// waited is what came of waiting for a job.
type waited struct {
	line *sandbox.JobLine // that matched
	none bool             // the job ended without such a line
	note string
}

// waitJob waits for a line of a job, or for its end, as the call says.
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
	info    sandbox.JobInfo
	text    string
	first   int64 // the offset of its first byte,
	next    int64 // and of the byte after it
	gone    int64 // bytes before first that were asked for and are no longer kept
	dropped int64 // bytes in the middle of it that are not in text
	gap     int64 // the offset of those
	line    int64 // the offset of the last line's beginning, or -1
}

// readJob reads a job's output from an offset on, or, where that is negative, from where
// the Set has read it to.
func (c *call) readJob(ctx context.Context, j job, from int64) (*part, error) {
	id := j.ID()
	unlock, err := c.lock(ctx, fmt.Sprintf("job %d", id)) // no path, for those begin with /
	if err != nil {
		return nil, err
	}
	defer unlock()
	if from < 0 {
		from = c.jobState(id).read
	}
	out := &headTail{limit: c.o.MaxOutput - 2*reserve}
	p := &part{next: from, line: -1}
	// What comes between the first reading and the job's end is read by the second.
	for range 2 {
		at, size := p.next, out.size()
		if p.next, err = j.Attach(ctx, out, &sandbox.AttachOptions{From: at}); err != nil {
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
		p.next -= out.hold()
	}
	if n := out.lastLine(); n >= 0 {
		p.line = p.next - n
	}
	p.text, p.dropped = out.text()
	p.gap = p.first + int64(len(out.head))
	c.changeJob(id, func(s *jobState) { s.read = p.next })
	return p, nil
}

// result shows the part, with how it stands with its job; w may be nil.
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
	v := describeJob(&p.info)
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

func (p *part) state(started bool) string {
	switch {
	case !p.info.Running:
		return "has ended: " + ending(p.info.Result)
	case started:
		return "runs: use job_output for what it writes, stop_job to end it"
	}
	return "runs"
}
