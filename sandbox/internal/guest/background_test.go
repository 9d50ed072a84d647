//go:build linux

package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// job starts a shell script as a background job and returns its number.
func (s *session) job(is *is.I, script string, args ...string) int {
	is.Helper()
	m := wire.JobStart{Exec: *sh(script, args...), Keep: maxKeep}
	m.Stdin = true
	var j wire.Job
	is.NoErr(s.do(wire.OpJobStart, &m, &j))
	return j.ID
}

// waited waits for the end of a job.
func (s *session) waited(is *is.I, id int) {
	is.Helper()
	is.NoErr(s.do(wire.OpJobWait, &wire.JobWait{ID: id}, nil))
}

// jobs lists the background jobs.
func (s *session) jobs(is *is.I) (jobs []wire.Job) {
	is.Helper()
	lines, err := s.collect(wire.OpJobs, struct{}{}, nil)
	is.NoErr(err)
	for line := range bytes.Lines(lines) {
		var j wire.Job
		is.NoErr(json.Unmarshal(line, &j))
		jobs = append(jobs, j)
	}
	return jobs
}

// jobOutput returns what a job has written.
func (s *session) jobOutput(id int) (string, error) {
	out, err := s.collect(wire.OpJobRead, &wire.JobRead{ID: id}, &wire.JobReadDone{})
	return string(out), err
}

// A job's result is never lost because of the output of others: that takes bytes alone.
func TestEndedJobs(t *testing.T) {
	// much fills most of what ended jobs may keep of their output.
	const size = 3_000_000
	const much = "head -c 3000000 /dev/zero"

	t.Run("output of later jobs pushes out the oldest bytes and no result", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		oldest := s.job(is, much+"; exit 3")
		// Nobody waits for it or reads it: a list of all jobs does neither.
		eventually(is, func() bool { return len(s.jobs(is)) == 1 && s.jobs(is)[0].Exited != nil })
		newer, newest := s.job(is, much), 0
		s.waited(is, newer)
		for range 2 {
			newest = s.job(is, much)
			s.waited(is, newest)
		}
		var w wire.JobWaited
		is.NoErr(s.do(wire.OpJobWait, &wire.JobWait{ID: oldest}, &w))
		is.Equal(w.Job.Exited.Code, 3)
		is.Equal(w.Job.First, int64(size)) // all that it wrote is gone
		is.Equal(w.Job.Next, int64(size))
		var done wire.JobReadDone
		out, err := s.collect(wire.OpJobRead, &wire.JobRead{ID: oldest}, &done)
		is.NoErr(err)
		is.Equal(len(out), 0)
		is.Equal(done.Next, int64(size)) // the reader is told
		text, err := s.jobOutput(newest)
		is.NoErr(err)
		is.Equal(len(text), size) // the job that ended last keeps its output
	})
	t.Run("no more bytes are dropped than have to be", func(t *testing.T) {
		is := is.New(t)
		b := &background{jobs: make(map[int]*backgroundJob)}
		is.Equal(endedOutput(b, 1, maxEndedOutput/2), 0)
		is.Equal(endedOutput(b, 2, maxEndedOutput/2), 0)
		is.Equal(endedOutput(b, 3, 1000), 1000)
		first, next := b.jobs[1].ring.span()
		is.Equal(first, int64(1000))
		is.Equal(next, int64(maxEndedOutput/2))
		is.Equal(endedOutput(b, 4, maxKeep), maxEndedOutput) // which is kept whole, and alone
		is.Equal(b.output, maxKeep)
		is.Equal(endedOutput(b, 5, 10), maxKeep+10-maxEndedOutput)
		is.Equal(b.output, maxEndedOutput)
	})
	t.Run("the results of 10,000 jobs are kept", func(t *testing.T) {
		is := is.New(t)
		b := &background{jobs: make(map[int]*backgroundJob)}
		for id := 1; id <= maxEnded+2; id++ {
			endedOutput(b, id, 1)
		}
		is.Equal(len(b.jobs), maxEnded)
		is.True(b.jobs[1] == nil && b.jobs[2] == nil && b.jobs[3] != nil)
		is.Equal(b.output, maxEnded)
		is.Equal(len(b.listed()), maxListed)
		is.Equal(b.listed()[0].id, maxEnded+2-maxListed+1)
	})
	t.Run("arguments are bounded, and output goes with them", func(t *testing.T) {
		is := is.New(t)
		b := &background{jobs: make(map[int]*backgroundJob)}
		arg := make([]byte, maxEndedArgs/2)
		for id := 1; id <= 3; id++ {
			j := &backgroundJob{id: id, ring: newRing(10), args: [][]byte{arg}, done: make(chan struct{})}
			is.NoErr(write(j.ring, "output"))
			b.add(j)
			b.end(j)
		}
		is.Equal(b.args, maxEndedArgs)
		is.True(b.jobs[1].args == nil && b.jobs[2].args != nil && b.jobs[3].args != nil)
		first, next := b.jobs[1].ring.span()
		is.Equal(first, next) // who may not know the command may not read what it wrote
	})
	t.Run("the one that ended last is listed, however long ago it started", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		long := s.job(is, "read x; echo last")
		var first int
		for i := range maxListed + 1 {
			id := s.job(is, "echo $1", strconv.Itoa(i))
			s.waited(is, id)
			out, err := s.jobOutput(id)
			is.NoErr(err)
			is.Equal(out, strconv.Itoa(i)+"\n")
			if i == 0 {
				first = id
			}
		}
		call, err := s.ch.Start(&channel.Request{Op: wire.OpJobRead, Args: &wire.JobRead{ID: long, Follow: true, Input: true}})
		is.NoErr(err)
		is.NoErr(call.Stream.CloseWrite())
		out, err := io.ReadAll(call.Stream)
		is.NoErr(err)
		is.NoErr(call.Result(context.Background(), nil))
		is.Equal(string(out), "last\n")
		again, err := s.jobOutput(long)
		is.NoErr(err)
		is.Equal(again, "last\n")

		jobs := s.jobs(is)
		is.Equal(len(jobs), maxListed)
		is.Equal(jobs[0].ID, long)
		is.Equal(jobs[1].ID, first+2) // the two before it ended longest ago
		text, err := s.jobOutput(first)
		is.NoErr(err)
		is.Equal(text, "0\n") // and are there all the same
	})
	t.Run("output that somebody waited for stays until it has been read", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		a, b := s.job(is, much), s.job(is, "read x; "+much)
		s.waited(is, a)
		is.NoErr(s.do(wire.OpJobStop, &wire.JobStop{ID: b}, nil))
		c := s.job(is, much)
		s.waited(is, c) // more than 4 MiB in all
		out, err := s.jobOutput(a)
		is.NoErr(err)
		is.Equal(len(out), size)
		out, err = s.jobOutput(a)
		is.NoErr(err)
		is.Equal(len(out), maxEndedOutput-size) // the rest of what is kept is c's
		out, err = s.jobOutput(c)
		is.NoErr(err)
		is.Equal(len(out), size)
	})
	t.Run("output that a call reads stays while it runs", func(t *testing.T) {
		is := is.New(t)
		b := &background{jobs: make(map[int]*backgroundJob)}
		endedOutput(b, 1, maxEndedOutput)
		_, leave, err := b.use(1)
		is.NoErr(err)
		is.Equal(endedOutput(b, 2, maxEndedOutput), 0)
		is.Equal(b.output, 2*maxEndedOutput)
		leave()
		first, _ := b.jobs[1].ring.span()
		is.Equal(first, int64(maxEndedOutput))
		is.Equal(b.output, maxEndedOutput)
	})
}

// endedOutput ends a job that has written n bytes, and returns how many bytes were dropped
// of the jobs that had ended before.
func endedOutput(b *background, id, n int) (dropped int) {
	before := b.output
	j := &backgroundJob{id: id, ring: newRing(maxKeep), done: make(chan struct{})}
	if n > 0 {
		j.ring.b = make([]byte, n)
	}
	b.add(j)
	b.end(j)
	return before + n - b.output
}

// write writes text to a ring, as a pump does.
func write(r *ring, text string) error {
	buf := wire.NewBuffer()
	defer buf.Free()
	return r.WriteBuffer(buf, copy(buf.Data(), text))
}

// A read with input that does not follow goes on until the job's stdin has taken all.
func TestJobInputIsTaken(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	in := bytes.Repeat([]byte("x"), 500000) // more than a pipe holds
	s.output(is, "mkfifo go")
	id := s.job(is, "echo up; read go <go; wc -c")
	call, err := s.ch.Start(&channel.Request{Op: wire.OpJobRead, Args: &wire.JobRead{ID: id, Input: true}})
	is.NoErr(err)
	answered := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, call.Stream)
		if err == nil {
			err = call.Result(context.Background(), &wire.JobReadDone{})
		}
		answered <- err
	}()
	go func() {
		_, _ = call.Stream.Write(in)
		_ = call.Stream.CloseWrite()
	}()
	select {
	case err := <-answered:
		is.NoErr(err)
		is.Fail() // the job has not read yet
	case <-time.After(200 * time.Millisecond):
	}
	s.output(is, "echo >go")
	is.NoErr(<-answered)
	s.waited(is, id)
	out, err := s.jobOutput(id)
	is.NoErr(err)
	is.Equal(out, "up\n500000\n")

	// One that ends without reading takes no more.
	id = s.job(is, "exit 0")
	call, err = s.ch.Start(&channel.Request{Op: wire.OpJobRead, Args: &wire.JobRead{ID: id, Input: true}})
	is.NoErr(err)
	if err := call.Result(context.Background(), &wire.JobReadDone{}); err != nil {
		is.Equal(codeOf(err), wire.CodeInvalid) // it had ended before
	}
}
