package tools

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func TestJobOutput(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, nil)
	j := sb.Start("", "/bin/sh", "-c", "serve")
	output := func(args object) *Result {
		args["id"] = 1
		return use(t, s, "job_output", args)
	}
	is.Equal(output(object{}).Text, "(no output yet)\n[job 1 runs]")
	io.WriteString(j, "one\ntwo")
	r := output(object{})
	is.Equal(r.Text, "one\ntwo\n[job 1 runs]")
	is.Equal(fields(t, r, "id", "command", "running", "offset", "next_offset", "exit_code"), "id=1 command=serve running=true offset=0 next_offset=7 exit_code=<nil>")
	is.Equal(output(object{}).Text, "(no new output)\n[job 1 runs]")
	io.WriteString(j, "\nthree\n")
	is.Equal(output(object{}).Text, "\nthree\n[job 1 runs]")
	is.Equal(output(object{"offset": 4}).Text, "two\nthree\n[job 1 runs]")
	is.Equal(output(object{"offset": 0}).Text, "one\ntwo\nthree\n[job 1 runs]")
	is.Equal(output(object{}).Text, "(no new output)\n[job 1 runs]")
	r = output(object{"offset": 15})
	is.Equal(r.Text, "offset 15 is past the end of the output of job 1, which is at 14: leave offset out for what is new")
	is.True(r.IsError)

	// A control sequence or character whose rest is yet to come is held back.
	io.WriteString(j, "\x1b[31mred\x1b[0m \x1b]0;title\x07caf\xc3")
	is.Equal(output(object{}).Text, "red caf\n[job 1 runs]")
	io.WriteString(j, "\xa9 \x1b[3")
	is.Equal(output(object{}).Text, "é \n[job 1 runs]")
	io.WriteString(j, "1mmore\x1b")
	is.Equal(output(object{}).Text, "more\n[job 1 runs]")
	io.WriteString(j, "]0;the tit")
	is.Equal(output(object{}).Text, "(no new output)\n[job 1 runs]")
	io.WriteString(j, "le\x1b\\end")
	is.Equal(output(object{}).Text, "end\n[job 1 runs]")
	r = output(object{"offset": 0})
	is.True(strings.HasPrefix(r.Text, "one\ntwo\nthree\nred café moreend\n"))

	// The head and the tail, and the middle from its offset.
	j.keep = 1 << 20
	all := len(j.output)
	io.WriteString(j, strings.Repeat("0123456789", 10_000))
	r = output(object{})
	is.True(len(r.Text) <= DefaultMaxOutput)
	is.True(strings.HasSuffix(r.Text, fmt.Sprintf("[70800 bytes were dropped in the middle: use job_output with offset %d for them]\n[job 1 runs]", all+14_600)))
	is.Equal(fields(t, r, "dropped_bytes"), "dropped_bytes=70800")
	r = output(object{"offset": all + 14_600})
	is.True(strings.HasPrefix(r.Text, "0123456789"))
	is.Equal(fields(t, r, "offset"), fmt.Sprintf("offset=%d", all+14_600))

	// Output that was never read and is no longer kept.
	io.WriteString(j, strings.Repeat("x", 100)+"END\n")
	j.keep = 10
	r = output(object{})
	is.Equal(r.Text, "[94 bytes before this are no longer kept]\nxxxxxxEND\n[job 1 runs]")
	is.Equal(fields(t, r, "gone_bytes"), "gone_bytes=94")

	io.WriteString(j, "bye\xc3")
	j.End(sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3})
	r = output(object{})
	is.Equal(r.Text, "bye\uFFFD\n[job 1 has ended: exit code 3]")
	is.True(!r.IsError) // the call has its output
	is.Equal(fields(t, r, "running", "outcome", "exit_code"), "running=false outcome=exited exit_code=3")

	// Text that is no UTF-8 takes more room than its bytes.
	sb.Start("", "x").Write([]byte(strings.Repeat("\xff", 200_000)))
	r = use(t, s, "job_output", object{"id": 2})
	is.True(len(r.Text) <= DefaultMaxOutput && strings.HasSuffix(r.Text, "[job 2 runs]"))
}

// Wherever the output is cut between two calls, nothing of it is lost or shown in pieces.
func TestJobOutputPieces(t *testing.T) {
	is := is.New(t)
	const text = "a\x1b[1;31mred\x1b[0m é€😀\r\n\x1b]0;title\x07b\x1b]8;;x\x1b\\link\x1b(Bc\xffd\x1b7\n"
	sb := NewFake(nil)
	s := newSet(t, sb, nil)
	for i := range len(text) + 1 {
		j := sb.Start("", "x")
		var got strings.Builder
		for _, piece := range []string{text[:i], text[i:]} {
			io.WriteString(j, piece)
			p, err := (&call{Set: s}).readJob(t.Context(), j, -1)
			is.NoErr(err)
			got.WriteString(p.text)
		}
		is.Equal(got.String(), plain(text))
	}
}

func TestJobOutputSmall(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, &Options{Permissions: Permissive(), MaxOutput: 1000})
	j := sb.Start("", "x")
	j.keep = 5000
	for range 2000 {
		io.WriteString(j, "listening é\n")
	}
	r := use(t, s, "job_output", object{"id": 1, "wait_for": "listening .*$"})
	is.True(len(r.Text) <= 1000)
	is.True(strings.HasPrefix(r.Text, "[21000 bytes before this are no longer kept]\n"))
	is.True(strings.HasSuffix(r.Text, "[the line that matches: listening é]\n[job 1 runs]"))
}

func TestWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		sb := NewFake(nil)
		s := newSet(t, sb, nil)
		sb.Run = begins("loading\nlistening on :80\n")
		use(t, s, "start_job", object{"command": "serve"})
		j := sb.Started(1)
		wait := func(args object) *Result {
			args["id"] = 1
			return use(t, s, "job_output", args)
		}
		after := func(d time.Duration, text string) {
			time.AfterFunc(d, func() { io.WriteString(j, text) })
		}
		// wait_for finds output that start_job has shown: both may be called at once.
		start := time.Now()
		r := wait(object{"wait_for": "listening on"})
		is.Equal(r.Text, "(no new output)\n[the line that matches: listening on :80]\n[job 1 runs]")
		is.Equal(fields(t, r, "line"), "line=listening on :80")
		is.Equal(time.Since(start), time.Duration(0))

		after(time.Second, "built in 3 s\nwatching\n")
		r = wait(object{"wait_for": "^built"})
		is.Equal(r.Text, "built in 3 s\nwatching\n[the line that matches: built in 3 s]\n[job 1 runs]")
		is.Equal(time.Since(start), time.Second)
		is.Equal(wait(object{"wait_for": "watching"}).Text, "(no new output)\n[the line that matches: watching]\n[job 1 runs]")

		// The next line that matches, and not the last. A line that was read in part is one.
		after(time.Minute, "built in")
		r = wait(object{"wait_for": "^built", "wait_seconds": 59})
		is.Equal(r.Text, "(no new output)\n[no line matched wait_for within 59 s: call job_output again to wait on]\n[job 1 runs]")
		is.True(!r.IsError)
		time.Sleep(2 * time.Second)
		is.Equal(wait(object{}).Text, "built in\n[job 1 runs]")
		after(time.Second, " 2 s\n")
		is.Equal(wait(object{"wait_for": "^built in 2"}).Text, " 2 s\n[the line that matches: built in 2 s]\n[job 1 runs]")
		is.Equal(wait(object{"wait_for": "loading", "offset": 0, "wait_seconds": 1}).Text,
			"loading\nlistening on :80\nbuilt in 3 s\nwatching\nbuilt in 2 s\n[the line that matches: loading]\n[job 1 runs]")

		// The default is the timeout of a command. The job's end ends the wait as well.
		start = time.Now()
		wait(object{"wait_for": "never"})
		is.Equal(time.Since(start), DefaultTimeout)
		r = wait(object{"wait_seconds": 5})
		is.Equal(r.Text, "(no new output)\n[it has not ended within 5 s: call job_output again, or stop_job]\n[job 1 runs]")
		time.AfterFunc(time.Second, func() { j.End(sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGSEGV"}) })
		start = time.Now()
		is.Equal(wait(object{"wait_seconds": 600}).Text, "(no new output)\n[job 1 has ended: killed by SIGSEGV]")
		is.Equal(time.Since(start), time.Second)
		r = wait(object{"wait_for": "never"})
		is.Equal(r.Text, "(no new output)\n[no line matches wait_for, and the job writes no more: look at its output, and start it again with start_job if it has failed]\n[job 1 has ended: killed by SIGSEGV]")
		is.True(r.IsError)
	})
}
