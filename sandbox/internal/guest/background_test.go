//go:build linux

package guest

import (
	"bytes"
	"context"
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

// jobOutput is what a job has written.
func (s *session) jobOutput(id int) (string, error) {
	out, err := s.collect(wire.OpJobRead, &wire.JobRead{ID: id}, &wire.JobReadDone{})
	return string(out), err
}

func TestForgottenJobs(t *testing.T) {
	t.Run("the one that ended last is there, however long ago it started", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		long := s.job(is, "read x; echo last")
		var first int
		for i := range maxEnded + 1 {
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
		for _, id := range []int{first, first + 1} {
			_, err = s.jobOutput(id)
			is.Equal(codeOf(err), wire.CodeNoJob) // these ended longest ago
		}
		_, err = s.jobOutput(first + 2)
		is.NoErr(err)
	})
	t.Run("one that was waited for is there until it has been read", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		const much = "head -c 3000000 /dev/zero"
		a, b := s.job(is, much), s.job(is, "read x; "+much)
		s.waited(is, a)
		is.NoErr(s.do(wire.OpJobStop, &wire.JobStop{ID: b}, nil))
		c := s.job(is, much)
		s.waited(is, c) // more than 4 MiB in all
		out, err := s.jobOutput(a)
		is.NoErr(err)
		is.Equal(len(out), 3000000)
		_, err = s.jobOutput(a)
		is.Equal(codeOf(err), wire.CodeNoJob)
		_, err = s.jobOutput(b)
		is.NoErr(err)
		out, err = s.jobOutput(c)
		is.NoErr(err)
		is.Equal(len(out), 3000000)
	})
	t.Run("one that a call is for stays while that runs", func(t *testing.T) {
		is := is.New(t)
		b := &background{jobs: make(map[int]*bgJob)}
		for id := 1; id <= maxEnded+3; id++ {
			b.jobs[id] = &bgJob{id: id, place: id, ring: newRing(1)}
		}
		_, leave, err := b.use(1)
		is.NoErr(err)
		b.mu.Lock()
		b.forget()
		b.mu.Unlock()
		is.Equal(len(b.jobs), maxEnded+1)
		is.True(b.jobs[1] != nil && b.jobs[2] == nil && b.jobs[3] == nil)
		leave()
		is.Equal(len(b.jobs), maxEnded)
		is.True(b.jobs[1] == nil)
	})
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
