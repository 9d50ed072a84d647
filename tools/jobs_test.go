package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

var stopped0 = sandbox.Result{Outcome: sandbox.Exited}

// begins is a Run of a job that writes text and goes on.
func begins(text string) func(context.Context, *sandbox.Command) (*sandbox.Result, error) {
	return func(_ context.Context, c *sandbox.Command) (*sandbox.Result, error) {
		_, err := io.WriteString(c.Stdout, text)
		return nil, err
	}
}

func TestStartJob(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(context.Context, *sandbox.Command) (*sandbox.Result, error)
		took time.Duration
		want string
		err  bool
	}{
		{"runs", begins("listening\n"), early, "job 1 was started\nlistening\n[job 1 runs: use job_output for what it writes, stop_job to end it]", false},
		{"silent", nil, early, "job 1 was started\n(no output yet)\n[job 1 runs: use job_output for what it writes, stop_job to end it]", false},
		{"fails at once", Exits("sh: nope: not found\n", 127), 0, "job 1 was started\nsh: nope: not found\n[job 1 has ended: exit code 127: a program was not found]", true},
		{"ends at once", Exits("", 0), 0, "job 1 was started\n(no output)\n[job 1 has ended: exit code 0]", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				sb := NewFake(nil)
				var got *sandbox.Command
				sb.Run = func(ctx context.Context, c *sandbox.Command) (*sandbox.Result, error) {
					got = c
					if test.run == nil {
						return nil, nil
					}
					return test.run(ctx, c)
				}
				s := newSet(t, sb, &Options{Permissions: Permissive(), Dir: "/tmp", Env: []string{"A=1"}})
				start := time.Now()
				r := use(t, s, "start_job", object{"command": "serve", "name": "web"})
				is.Equal(time.Since(start), test.took)
				is.Equal(r.Text, test.want)
				is.Equal(r.IsError, test.err)
				is.Equal(got.Args, []string{"/bin/sh", "-c", "serve"})
				is.Equal(got.Dir, "/tmp")
				is.Equal(got.Env, []string{"A=1"})
				is.Equal(got.Timeout, time.Duration(0))
				is.Equal(sb.Started(1).info.Name, "web")
			})
		})
	}
}

// fields returns fields of a result's JSON, as "name=value".
func fields(t *testing.T, r *Result, names ...string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.JSON, &v); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s=%v", name, v[name]))
	}
	return strings.Join(parts, " ")
}

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

	// A control sequence or a character of which the rest is to come waits for that.
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

	// The head, the tail, and what is between them when it is asked for.
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

	// What was never read and is gone.
	io.WriteString(j, strings.Repeat("x", 100)+"END\n")
	j.keep = 10
	r = output(object{})
	is.Equal(r.Text, "[94 bytes before this are no longer kept]\nxxxxxxEND\n[job 1 runs]")
	is.Equal(fields(t, r, "gone_bytes"), "gone_bytes=94")

	io.WriteString(j, "bye\xc3")
	j.End(sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3})
	r = output(object{})
	is.Equal(r.Text, "bye\uFFFD\n[job 1 has ended: exit code 3]")
	is.True(!r.IsError) // the output is what was asked for
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
		got := ""
		for _, piece := range []string{text[:i], text[i:]} {
			io.WriteString(j, piece)
			p, err := (&call{Set: s}).readJob(t.Context(), j, -1)
			is.NoErr(err)
			got += p.text
		}
		is.Equal(got, plain(text))
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
		// What start_job has shown can be waited for: both may have been called at once.
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

		// The next of its kind, not the last; and a line that was read in part is a line.
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

		// The time unless given is that of a command, and its end is waited for as well.
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

func TestJobFailures(t *testing.T) {
	sb := NewFake(nil)
	s := newSet(t, sb, nil)
	sb.Start("", "x")
	for _, test := range []struct{ name, tool, args, want string }{
		{"output of no job", "job_output", `{"id":7}`, "there is no job 7, or it has ended long ago: use list_jobs for those that there are"},
		{"stop no job", "stop_job", `{"id":7}`, "there is no job 7, or it has ended long ago: use list_jobs for those that there are"},
		{"regular expression", "job_output", `{"id":1,"wait_for":"a(b"}`, "wait_for does not compile: error parsing regexp: missing closing ): `a(b`: the syntax is RE2, in which . ( ) [ { + * ? | ^ $ and \\ mean something; put a backslash before one that is to be found as it is"},
		{"too long a wait", "job_output", `{"id":1,"wait_seconds":601}`, `job_output was not called: parameter "wait_seconds" is 601, which is out of range: give the seconds as an integer from 1 to 600`},
		{"id as a string", "stop_job", `{"id":"1"}`, `stop_job was not called: parameter "id" is the string "1": give the job's id as an integer from 1 to 1000000000, without quotes`},
		{"no id", "job_output", `{}`, `job_output was not called: parameter "id" is missing: give the job's id as an integer from 1 to 1000000000`},
		{"a parameter too many", "list_jobs", `{"all":true}`, `list_jobs was not called: unknown parameter "all": list_jobs takes no parameters`},
		{"blank command", "start_job", `{"command":" "}`, `parameter "command" has only white space in it: give the shell command as a string`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r := use(t, s, test.tool, test.args)
			is.Equal(r.Text, test.want)
			is.True(r.IsError)
		})
	}
	is := is.New(t)
	sb.Run = func(context.Context, *sandbox.Command) (*sandbox.Result, error) {
		return nil, fail("start job", "/bin/sh", "command_not_found")
	}
	is.Equal(use(t, s, "start_job", object{"command": "x"}).Text, "this sandbox has no /bin/sh: no command can be run")
}

func TestListAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		sb := NewFake(nil)
		s := newSet(t, sb, nil)
		r := use(t, s, "list_jobs", object{})
		is.Equal(r.Text, "no jobs: start one with start_job")
		is.Equal(string(r.JSON), `{"jobs":[],"more":0}`)

		sb.Run = begins("one\n")
		use(t, s, "start_job", object{"command": "serve\n--all", "name": "web"})
		sb.Start("", "make", "all it", "a=b").Write([]byte("made"))
		sb.Started(2).End(sandbox.Result{Outcome: sandbox.Exited, ExitCode: 2})
		sb.Start("", "tail", "-f", "log")
		time.Sleep(90 * time.Second)
		io.WriteString(sb.Started(1), "two\n")
		r = use(t, s, "list_jobs", object{})
		is.Equal(r.Text, `job 3 runs for 1m30s; 0 bytes of output, 0 not read; tail -f log
job 1 (web) runs for 1m31s; 8 bytes of output, 4 not read; "serve\n--all"
job 2 has ended: exit code 2; 4 bytes of output, 4 not read; make 'all it' a=b`)
		var v struct {
			Jobs []struct {
				ID      int
				Name    string
				Command string
				Running bool
				Unread  int `json:"unread_bytes"`
			}
		}
		is.NoErr(json.Unmarshal(r.JSON, &v))
		is.Equal(v.Jobs[1].Command, "serve\n--all")
		is.Equal(v.Jobs[1].Unread, 4)

		r = use(t, s, "stop_job", object{"id": 1})
		is.Equal(r.Text, "job 1 has ended: stopped by SIGTERM\n[4 bytes of its output are not read: use job_output]")
		is.Equal(fields(t, r, "running", "outcome", "rung"), "running=false outcome=canceled rung=term")
		is.True(!r.IsError)
		is.Equal(use(t, s, "job_output", object{"id": 1}).Text, "two\n[job 1 has ended: stopped by SIGTERM]")
		is.Equal(use(t, s, "stop_job", object{"id": 2}).Text, "job 2 had ended before: exit code 2; what it left running was killed\n[4 bytes of its output are not read: use job_output]")

		for range 1000 {
			sb.Start(strings.Repeat("n", 100), "x").End(stopped0)
		}
		r = use(t, s, "list_jobs", object{})
		is.True(len(r.Text) <= DefaultMaxOutput)
		is.True(strings.HasPrefix(r.Text, "job 3 runs")) // before the newer ones that have ended
		is.True(strings.Contains(r.Text, "\njob 1003 ("))
		is.True(strings.HasSuffix(r.Text, " older jobs not shown]"))
	})
}

// A job is judged by its command, before it is started and, where another has started it,
// before it is looked at.
func TestJobPermissions(t *testing.T) {
	is := is.New(t)
	p := &Permissions{Default: Deny, Rules: []Rule{{OpExecute, "git push *", Ask}, {OpExecute, "git *", Allow}}}
	var asked []Request
	var answer Decision
	sb := NewFake(nil)
	sb.Run = Exits("", 0)
	s := newSet(t, sb, &Options{Permissions: p, Ask: func(_ context.Context, r Request) (Decision, error) {
		asked = append(asked, r)
		return answer, nil
	}})
	const next = "do not try it in another way; go on without it, or tell the user what you need"
	r := use(t, s, "start_job", object{"command": "git log; make"})
	is.Equal(r.Text, "permission denied: this command is not allowed here: "+next)
	is.True(!use(t, s, "start_job", object{"command": "git log"}).IsError) // job 1
	r = use(t, s, "start_job", object{"command": "git push"})
	is.Equal(r.Text, "permission denied: this command was refused by the user: "+next)
	is.Equal(asked[0].Tool, "start_job")
	is.Equal(asked[0].Operation, OpExecute)
	is.Equal(asked[0].Command, "git push")
	is.Equal(len(sb.jobs), 1)
	answer = Decision{Allow: true}
	use(t, s, "start_job", object{"command": "git push"}) // job 2
	is.Equal(len(asked), 2)
	for _, tool := range []string{"job_output", "stop_job"} {
		is.True(!use(t, s, tool, object{"id": 2}).IsError) // its own
	}
	is.Equal(len(asked), 2)

	// Others' jobs.
	sb.Start("", "/bin/sh", "-c", "cat key.pem").Write([]byte("secret")) // 3
	sb.Start("key", "cat", "key.pem").Write([]byte("secret"))            // 4
	sb.Start("", "git", "status")                                        // 5
	sb.Start("", "git", "push", "origin")                                // 6
	for _, id := range []int{3, 4} {
		for _, tool := range []string{"job_output", "stop_job"} {
			r := use(t, s, tool, object{"id": id})
			is.Equal(r.Text, fmt.Sprintf("permission denied: %s of job %d is not allowed here: %s", tool, id, next))
			is.True(r.IsError)
		}
	}
	r = use(t, s, "list_jobs", object{})
	is.True(!strings.Contains(r.Text+string(r.JSON), "key"))
	is.Equal(strings.Count(r.Text, "\n"), 3) // 1, 2, 5 and 6
	is.True(!use(t, s, "job_output", object{"id": 5}).IsError)
	is.Equal(len(asked), 2)
	answer = Decision{Allow: true, Always: true}
	is.True(!use(t, s, "job_output", object{"id": 6}).IsError)
	is.Equal(asked[2].Tool, "job_output")
	is.Equal(asked[2].Command, "git push origin")
	answer = Decision{}
	is.True(!use(t, s, "job_output", object{"id": 6}).IsError) // always
	is.Equal(len(asked), 3)
	is.True(use(t, s, "stop_job", object{"id": 6}).IsError) // is more than to read it,
	is.True(use(t, s, "start_job", object{"command": "git push origin"}).IsError)
	is.Equal(len(asked), 5) // and to run it as well
}
