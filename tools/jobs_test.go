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
		{"runs", begins("listening\n"), startWait, "job 1 was started\nlistening\n[job 1 runs: use job_output for what it writes, stop_job to end it]", false},
		{"silent", nil, startWait, "job 1 was started\n(no output yet)\n[job 1 runs: use job_output for what it writes, stop_job to end it]", false},
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

func TestJobFailures(t *testing.T) {
	sb := NewFake(nil)
	s := newSet(t, sb, nil)
	sb.Start("", "x")
	for _, test := range []struct{ name, tool, args, want string }{
		{"output of no job", "job_output", `{"id":7}`, "there is no job 7, or it ended long ago: use list_jobs for those that there are"},
		{"stop no job", "stop_job", `{"id":7}`, "there is no job 7, or it ended long ago: use list_jobs for those that there are"},
		{"regular expression", "job_output", `{"id":1,"wait_for":"a(b"}`, "wait_for does not compile: error parsing regexp: missing closing ): `a(b`: the syntax is RE2, in which . ( ) [ { + * ? | ^ $ and \\ are special; put a backslash before one that stands for itself"},
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
		return nil, fail("start job", "/bin/sh", sandbox.CodeCommandNotFound)
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
		is.Equal(use(t, s, "stop_job", object{"id": 2}).Text, "job 2 had ended before: exit code 2; the processes that it left were killed\n[4 bytes of its output are not read: use job_output]")

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

// A job is judged by its command before it is started. One that the Set did not start is
// judged before it is read or stopped.
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
