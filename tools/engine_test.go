package tools_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/tools"
)

// openEngine opens a sandbox on the engine that scripts/test names; a run without one has
// only the tests that need none.
func openEngine(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	return openOn(t, &sandbox.Options{Image: "localhost/drydock/busybox:1"})
}

func openOn(t *testing.T, opts *sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	cli := os.Getenv("DRYDOCK_TEST_ENGINE")
	if cli == "" {
		t.Skip("DRYDOCK_TEST_ENGINE names no engine: run scripts/test")
	}
	opts.Engine = engine.Docker(&dockercli.Client{Path: cli})
	sb, err := sandbox.Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// caller returns how to call the tools of a new Set.
func caller(t *testing.T, sb tools.Sandbox, opts *tools.Options) func(name, args string) *tools.Result {
	t.Helper()
	set, err := tools.New(sb, opts)
	if err != nil {
		t.Fatal(err)
	}
	return func(name, args string) *tools.Result {
		t.Helper()
		r, err := set.Call(context.Background(), name, json.RawMessage(args))
		if err != nil {
			t.Fatalf("%s %s: %v", name, args, err)
		}
		return r
	}
}

func TestEngine(t *testing.T) {
	is := is.New(t)
	sb := openEngine(t)
	use := caller(t, sb, &tools.Options{Permissions: tools.Permissive(), Env: []string{"WHO=tools"}})

	is.Equal(use("write_file", `{"path":"sub/a b.txt","content":"one\ntwo\nthree\n"}`).Text, "created sub/a b.txt: 3 lines, 14 bytes")
	is.Equal(use("read_file", `{"path":"sub/a b.txt","offset":2,"limit":1}`).Text, "     2\ttwo\n[lines 2 to 2 of 3; use read_file with offset 3 to go on]")
	is.Equal(use("edit_file", `{"path":"/workspace/sub/../sub/a b.txt","old_string":"two","new_string":"2"}`).Text,
		"edited /workspace/sub/../sub/a b.txt: 1 replacement\n     1\tone\n     2\t2\n     3\tthree")
	r := use("execute", `{"command":"cat 'sub/a b.txt'; echo $WHO >&2; echo last; exit 3"}`)
	is.Equal(r.Text, "one\n2\nthree\ntools\nlast\n[exit code 3]")
	is.True(r.IsError)
	use("execute", `{"command":"echo more >>'sub/a b.txt'; ln -s 'sub/a b.txt' to; ln -s sub dir; printf 'KEY=1' >.env; ln -s .env safe; printf '\\0' >bin"}`)
	r = use("edit_file", `{"path":"to","old_string":"one","new_string":"1"}`)
	is.Equal(r.Text, "to has changed since you read it: read it again with read_file, then edit it")
	r = use("write_file", `{"path":"to","content":""}`)
	is.Equal(r.Text, "to has changed since you read it: read it again with read_file, then write it")
	use("read_file", `{"path":"dir/a b.txt"}`)
	is.True(!use("edit_file", `{"path":"to","old_string":"one","new_string":"1"}`).IsError)
	is.True(strings.HasPrefix(use("edit_file", `{"path":"to","old_string":"x","new_string":"y"}`).Text, "old_string is not in to: nothing was changed"))
	is.True(strings.HasPrefix(use("edit_file", `{"path":"to","old_string":"re","new_string":"y"}`).Text, "old_string is in to 2 times, at lines 3, 4: "))

	is.Equal(use("ls", `{}`).Text, "sub/\nbin  1\ndir -> sub\nsafe -> .env\nto -> sub/a b.txt\n[1 hidden entry not shown: set hidden]")
	is.Equal(use("glob", `{"pattern":"**/*.txt"}`).Text, "sub/a b.txt")
	is.Equal(use("glob", `{"pattern":"dir/*.txt"}`).Text, "sub/a b.txt") // as it really is
	is.Equal(use("glob", `{"pattern":"../workspace/b{in,ash}"}`).Text, "bin")
	is.Equal(use("grep", `{"pattern":"^(1|more)$","after":1}`).Text, "sub/a b.txt:1:1\nsub/a b.txt-2-2\n--\nsub/a b.txt:4:more")
	is.Equal(use("grep", `{"pattern":"more","path":"to","output_mode":"count"}`).Text, "sub/a b.txt:1")
	is.True(strings.HasPrefix(use("grep", `{"pattern":"KEY","hidden":true}`).Text, "no match"))
	for _, spelling := range []string{".env", "./.env", "../workspace/.env", "safe", "/proc/self/root/workspace/.env", "/proc/self/cwd/workspace/.env"} {
		r := use("read_file", `{"path":"`+spelling+`"}`)
		is.True(r.IsError)
		if !strings.HasPrefix(r.Text, "permission denied") {
			t.Errorf("%s: %s", spelling, r.Text)
		}
	}
	is.True(strings.HasPrefix(use("read_file", `{"path":"bin"}`).Text, "bin is a binary file (application/octet-stream, 1 bytes)"))
	is.True(strings.HasPrefix(use("read_file", `{"path":"/dev/null"}`).Text, "/dev/null is a device"))
	is.Equal(use("write_file", `{"path":"/etc/x","content":""}`).Text, "/etc/x: the user of this sandbox may not do that (read_only): choose a path in the work dir, the home directory or /tmp")
	is.Equal(use("glob", `{"pattern":"[a"}`).IsError, true)
	is.True(strings.HasPrefix(use("glob", `{"pattern":"*","path":"-rf"}`).Text, "-rf does not exist"))

	start := time.Now()
	r = use("execute", `{"command":"echo begun; sleep 60","timeout_seconds":1}`)
	is.Equal(r.Text, "begun\n[timed out after 1 s and was killed: run it in the background with start_job, or raise timeout_seconds up to 600]")
	is.True(time.Since(start) < 10*time.Second)
	r = use("execute", `{"command":"yes 0123456789 | head -c 1000000; echo END"}`)
	is.True(strings.HasPrefix(r.Text, "0123456789\n") && strings.Contains(r.Text, "END\n[970404 bytes of output were dropped"))
	is.True(len(r.Text) <= tools.DefaultMaxOutput)
}

func TestEngineHashLine(t *testing.T) {
	is := is.New(t)
	use := caller(t, openEngine(t), &tools.Options{Permissions: tools.Permissive(), HashLine: true})
	use("write_file", `{"path":"a","content":"one\ntwo\n"}`)
	is.Equal(use("read_file", `{"path":"a"}`).Text, "     1:a3c8\tone\n     2:360d\ttwo")
	is.True(!use("hashline_edit", `{"path":"a","edits":[{"op":"insert_after","anchor":"2:360d","text":"three"},{"op":"delete","anchor":"1:a3c8"}]}`).IsError)
	is.Equal(use("execute", `{"command":"cat a"}`).Text, "two\nthree")
	use("execute", `{"command":"echo x >>a"}`)
	is.True(strings.HasPrefix(use("hashline_edit", `{"path":"a","edits":[{"op":"delete","anchor":"1:360d"}]}`).Text, "a has changed since you read it"))
}

func TestEngineJobs(t *testing.T) {
	is := is.New(t)
	sb := openEngine(t)
	opts := &tools.Options{Permissions: tools.Permissive(), Env: []string{"WHO=tools"}, Dir: "/tmp"}
	use := caller(t, sb, opts)

	r := use("start_job", `{"command":"nope --all"}`)
	is.True(strings.HasSuffix(r.Text, "not found\n[job 1 has ended: exit code 127: a program was not found]"))
	is.True(r.IsError)
	start := time.Now()
	r = use("start_job", `{"name":"web","command":"echo \"$WHO in $PWD\"; while [ ! -e go ]; do sleep 0.1; done; echo ready >&2; read x; sleep 1000 & sleep 1000"}`)
	is.Equal(r.Text, "job 2 was started\ntools in /tmp\n[job 2 runs: use job_output for what it writes, stop_job to end it]")
	is.True(time.Since(start) < 5*time.Second)
	r = use("job_output", `{"id":2,"wait_for":"^rea.y$","wait_seconds":1}`)
	is.Equal(r.Text, "(no new output)\n[no line matched wait_for within 1 s: call job_output again to wait on]\n[job 2 runs]")
	use("execute", `{"command":"touch go"}`)
	r = use("job_output", `{"id":2,"wait_for":"^rea.y$"}`)
	is.Equal(r.Text, "ready\n[the line that matches: ready]\n[job 2 runs]")
	is.Equal(use("job_output", `{"id":2}`).Text, "(no new output)\n[job 2 runs]")
	is.Equal(use("job_output", `{"id":2,"offset":6}`).Text, "in /tmp\nready\n[job 2 runs]")
	is.True(strings.HasPrefix(use("list_jobs", `{}`).Text, "job 2 (web) runs for "))
	r = use("stop_job", `{"id":2}`)
	is.Equal(r.Text, "job 2 has ended: stopped by SIGTERM")
	is.Equal(use("execute", `{"command":"ps | grep -c '[s]leep 1000'"}`).Text, "0\n[exit code 1]")
	is.Equal(use("job_output", `{"id":3}`).Text, "there is no job 3, or it ended long ago: use list_jobs for those that there are")

	// One that does not heed SIGTERM, and more output than is kept.
	use("start_job", `{"command":"trap '' TERM; yes 0123456789 | head -c 1000000; echo END; while :; do sleep 1; done"}`)
	r = use("job_output", `{"id":3,"wait_for":"END"}`)
	is.True(strings.Contains(r.Text, "END]\n"))
	is.True(len(r.Text) <= tools.DefaultMaxOutput)
	r = use("job_output", `{"id":3,"offset":0}`)
	is.True(strings.HasPrefix(r.Text, "[737860 bytes before this are no longer kept]\n"))
	is.True(strings.HasSuffix(r.Text, "for them]\n[job 3 runs]"))
	is.Equal(use("stop_job", `{"id":3}`).Text, "job 3 has ended: stopped by SIGKILL, because SIGTERM did not end it within 2s")
	r = use("job_output", `{"id":3,"wait_for":"never"}`)
	is.True(r.IsError)

	// Another Set reads for itself, and has to be allowed to.
	is.True(strings.HasPrefix(caller(t, sb, opts)("job_output", `{"id":2}`).Text, "tools in /tmp\nready\n"))
	other := caller(t, sb, &tools.Options{Permissions: &tools.Permissions{Default: tools.Deny, Rules: []tools.Rule{{Operation: tools.OpExecute, Pattern: "echo *", Action: tools.Allow}}}})
	is.Equal(other("list_jobs", `{}`).Text, "no jobs: start one with start_job")
	is.True(strings.HasPrefix(other("job_output", `{"id":2}`).Text, "permission denied: job_output of job 2 is not allowed here"))

	r = use("python", `{"code":"1"}`)
	is.Equal(r.Text, "this sandbox has no python3: python cannot be used here; use execute with the shell and the programs that there are")
}

func TestEnginePython(t *testing.T) {
	is := is.New(t)
	sb := openOn(t, &sandbox.Options{Runtime: "python-minimal"})
	set, err := tools.New(sb, &tools.Options{Permissions: tools.Permissive(), Env: []string{"WHO=tools"}})
	is.NoErr(err)
	use := func(args string) *tools.Result {
		t.Helper()
		r, err := set.Call(context.Background(), "python", json.RawMessage(args))
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		return r
	}
	is.Equal(use(`{"code":"import os, sys\nx = 41\nprint('out')\nos.environ['WHO'], os.getcwd()"}`).Text, "out\n('tools', '/workspace')")
	r := use(`{"code":"for i in range(100): print('out', end='', file=sys.stdout); print('err', end='', file=sys.stderr); print(); print(file=sys.stderr)"}`)
	is.Equal(strings.Count(r.Text+"\n", "out\n"), 100) // lines are whole, in whatever order
	is.Equal(strings.Count(r.Text+"\n", "err\n"), 100)
	is.Equal(use(`{"code":"x += 1; x"}`).Text, "42")
	r = use(`{"code":"{}['key']"}`)
	is.True(r.IsError)
	is.True(strings.HasPrefix(r.Text, "Traceback (most recent call last):\n") && strings.HasSuffix(r.Text, "KeyError: 'key'"))
	r = use(`{"code":"class Table:\n  def _repr_html_(self): return '<table>'\n  def __repr__(self): return 'a table'\nTable()"}`)
	is.Equal(r.Text, "a table")
	is.True(strings.Contains(string(r.JSON), `"html":"<table>"`))
	r = use(`{"code":"import base64\nclass Figure:\n  def _repr_png_(self): return base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAAAAAC4HznGAAAADklEQVR4nGNgQAX/4SwABJEBAMTZEgEAAAAASUVORK5CYII=')\nFigure()"}`)
	is.Equal(len(r.Images), 1)
	is.True(strings.HasSuffix(r.Text, ", 3 x 2 pixels]"))

	// A timeout that an interrupt meets keeps the variables, and one that it does not loses them.
	r = use(`{"code":"import time\nprint('begun', flush=True)\ntime.sleep(60)","timeout_seconds":1}`)
	is.True(r.IsError)
	is.True(strings.HasPrefix(r.Text, "begun\nTraceback"))
	is.True(strings.Contains(r.Text, "[timed out after 1 s and was interrupted; variables and imports are kept; "))
	is.Equal(use(`{"code":"x"}`).Text, "42")
	r = use(`{"code":"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass","timeout_seconds":1}`)
	is.True(strings.Contains(r.Text, "[timed out after 1 s and was killed; Python has ended with its variables: "))
	r = use(`{"code":"'x' in globals()"}`)
	is.Equal(r.Text, "[Python was started anew before this: variables and imports of earlier calls are gone]\nFalse")
	is.Equal(use(`{"code":"x = 1"}`).Text, "(no output)")
	is.Equal(use(`{"restart":true}`).Text, "Python was started anew: there are no variables")
	is.True(strings.HasSuffix(use(`{"code":"x"}`).Text, "NameError: name 'x' is not defined"))
	is.True(strings.Contains(use(`{"code":"import os; os._exit(3)"}`).Text, "[exit code 3; Python has ended with its variables: "))
	use(`{"code":"x"}`)

	// More output than there is room for, and the last of it.
	r = use(`{"code":"print('0123456789' * 100000)\nraise ValueError('bad')"}`)
	is.True(len(r.Text) <= tools.DefaultMaxOutput)
	is.True(strings.Contains(r.Text, "\nValueError: bad\n["))

	is.NoErr(set.Close())
	is.NoErr(set.Close())
	procs, err := sb.Exec(context.Background(), "cat /proc/[0-9]*/comm")
	is.NoErr(err)
	is.True(!strings.Contains(string(procs.Stdout), "python"))
	_, err = set.Call(context.Background(), "python", json.RawMessage(`{"code":"1"}`))
	is.True(err != nil)
}

// A closed sandbox is no result.
func TestEngineClosed(t *testing.T) {
	is := is.New(t)
	sb := openEngine(t)
	set, err := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	is.NoErr(err)
	is.NoErr(sb.Close())
	for name, args := range map[string]string{"ls": `{}`, "execute": `{"command":"true"}`, "write_file": `{"path":"a","content":""}`} {
		r, err := set.Call(context.Background(), name, json.RawMessage(args))
		is.True(err != nil)
		is.True(r == nil)
	}
}
