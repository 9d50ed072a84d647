//go:build linux

package guest

import (
	"bytes"
	"math"
	"regexp"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// jobRead sends output from an offset on. With input it goes on at least until that has been
// taken.
func (c *call) jobRead(m *wire.JobRead) (any, error) {
	b := &c.s.background
	j, leave, err := b.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	var taken <-chan struct{} // closed when the input has been taken; nil if that does not end the read
	_, until := j.ring.span()
	if m.Input {
		done, leave, err := c.jobInput(j)
		if err != nil {
			return nil, err
		}
		defer leave()
		if !m.Follow {
			taken, until = done, math.MaxInt64
		}
	}
	if m.From < math.MaxInt64 { // else only the description is wanted
		defer b.release(j)
	}
	buf := wire.NewBuffer()
	defer buf.Free()
	for offset := m.From; ; {
		select {
		case <-taken:
			if c.aborted() {
				return nil, errAborted
			}
			taken = nil
			_, until = j.ring.span()
		default:
		}
		got, at, more := j.ring.from(buf.Data()[:0], offset, len(buf.Data()))
		if !m.Follow && at+int64(len(got)) > until {
			got = got[:max(0, until-at)]
		}
		if len(got) > 0 {
			if err := c.stream.WriteBuffer(buf, len(got)); err != nil {
				return nil, err
			}
		}
		offset = at + int64(len(got))
		if more == nil || !m.Follow && offset >= until {
			if more == nil {
				<-j.done
			}
			return &wire.JobReadDone{Next: offset, Job: *b.describe(j)}, nil
		}
		if len(got) > 0 {
			continue
		}
		select {
		case <-more:
		case <-taken:
		case <-c.quit:
			return nil, errAborted
		}
	}
}

// jobInput feeds the call's stream to a job until leave is called. taken is closed when the
// job's stdin has got all of it, or wants no more.
func (c *call) jobInput(j *backgroundJob) (taken <-chan struct{}, leave func(), err error) {
	if !j.input.TryLock() {
		return nil, nil, wire.Errorf(wire.CodeBusy, "another call writes to job %d", j.id)
	}
	j.mu.Lock()
	stdin := j.stdin
	j.mu.Unlock()
	if stdin == nil {
		j.input.Unlock()
		return nil, nil, wire.Invalid("job %d has no stdin, or it was closed", j.id)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := c.stream.WriteTo(stdin)
		switch {
		case err != nil:
			c.stream.CloseRead()
		case c.aborted():
		case j.terminal != nil:
			_, _ = stdin.WriteString(endOfInput)
		default:
			j.closeStdin()
		}
	}()
	return done, func() {
		c.stream.Abort(errAborted)
		_ = stdin.SetWriteDeadline(past)
		<-done
		_ = stdin.SetWriteDeadline(time.Time{})
		j.input.Unlock()
	}, nil
}

// jobWait waits for the end of a job, or for a line.
func (c *call) jobWait(m *wire.JobWait) (any, error) {
	b := &c.s.background
	j, leave, err := b.use(m.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	if m.Pattern != nil {
		return c.jobWaitLine(j, m)
	}
	select {
	case <-j.done:
		b.retain(j)
		return &wire.JobWaited{Job: *b.describe(j)}, nil
	case <-c.quit:
		return nil, errAborted
	}
}

// jobWaitLine waits for a line that matches, or for the end of a job.
func (c *call) jobWaitLine(j *backgroundJob, m *wire.JobWait) (any, error) {
	re, err := regexp.Compile(string(m.Pattern))
	if err != nil {
		return nil, wire.Invalid("%v", err)
	}
	b := &c.s.background
	lines := lineMatcher{re: re, offset: m.From}
	for {
		got, at, more := j.ring.from(nil, lines.offset, maxJobLine)
		if line, found := lines.match(got, at); found {
			return &wire.JobWaited{Job: *b.describe(j), Found: true, Line: line, Next: lines.offset}, nil
		}
		if more == nil {
			<-j.done
			return &wire.JobWaited{Job: *b.describe(j)}, nil
		}
		if _, next := j.ring.span(); next > lines.offset {
			continue
		}
		select {
		case <-more:
		case <-c.quit:
			return nil, errAborted
		}
	}
}

// maxJobLine is how many bytes of a line of output a pattern sees: the last ones.
const maxJobLine = 64 << 10

// lineMatcher finds the first line that matches in output that comes in pieces.
type lineMatcher struct {
	re     *regexp.Regexp
	offset int64  // of the next byte
	line   []byte // the part of the last line that has come
}

// match takes the piece of output at an offset, and returns the first line in it that
// matches, without its end. A line without an end counts: it may be a prompt.
func (l *lineMatcher) match(piece []byte, at int64) (line []byte, found bool) {
	if at != l.offset {
		l.line = nil // its beginning is no longer kept
	}
	l.offset = at
	for len(piece) > 0 {
		part, rest, ended := bytes.Cut(piece, []byte("\n"))
		piece = rest
		if l.line = append(l.line, part...); len(l.line) > maxJobLine {
			l.line = l.line[len(l.line)-maxJobLine:]
		}
		l.offset += int64(len(part))
		if ended {
			l.offset++
		}
		text := bytes.TrimSuffix(l.line, []byte("\r"))
		if l.re.Match(text) {
			return text, true
		}
		if ended {
			l.line = nil
		}
	}
	return nil, false
}
