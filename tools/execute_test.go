package tools

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func TestExecute(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, &Options{Permissions: Permissive(), Dir: "/tmp", Env: []string{"A=1"}, Timeout: 30 * time.Second})
	var got *sandbox.Command
	play := func(text string, r sandbox.Result) {
		sb.Run = func(_ context.Context, c *sandbox.Command) (*sandbox.Result, error) {
			got = c
			fmt.Fprint(c.Stdout, text)
			return &r, nil
		}
	}
	for _, test := range []struct {
		name   string
		output string
		result sandbox.Result
		want   string
	}{
		{"silent", "", sandbox.Result{Outcome: sandbox.Exited}, "(no output)"},
		{"output", "a\nb\n", sandbox.Result{Outcome: sandbox.Exited}, "a\nb"},
		{"exit code", "no\n", sandbox.Result{Outcome: sandbox.Exited, ExitCode: 1}, "no\n[exit code 1]"},
		{"not found", "", sandbox.Result{Outcome: sandbox.Exited, ExitCode: 127}, "(no output)\n[exit code 127: a program was not found]"},
		{"signal", "", sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGSEGV"}, "(no output)\n[killed by SIGSEGV]"},
		{"killed", "", sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGKILL"}, "(no output)\n[killed by SIGKILL, perhaps because memory ran out]"},
		{"timeout", "so far", sandbox.Result{Outcome: sandbox.TimedOut, ExitCode: -1}, "so far\n[timed out after 30 s and was killed: run it in the background with start_job, or raise timeout_seconds up to 600]"},
		{"escapes", "\x1b[31mred\x1b[0m\x1b]0;title\x07 \x9b\r\n\xff", sandbox.Result{Outcome: sandbox.Exited}, "red \uFFFD\n\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			play(test.output, test.result)
			r := use(t, s, "execute", object{"command": "x"})
			is.Equal(r.Text, test.want)
			is.Equal(r.IsError, !test.result.OK())
		})
	}
	is.Equal(got.Args, []string{"/bin/sh", "-c", "x"})
	is.Equal(got.Dir, "/tmp")
	is.Equal(got.Env, []string{"A=1"})
	is.Equal(got.Timeout, 30*time.Second)

	play("BEGIN"+strings.Repeat("é", 100_000)+"END", sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3})
	r := use(t, s, "execute", object{"command": "x", "timeout_seconds": 600})
	is.Equal(got.Timeout, 10*time.Minute)
	is.True(len(r.Text) <= DefaultMaxOutput)
	is.True(strings.HasPrefix(r.Text, "BEGINéé"))
	is.True(strings.HasSuffix(r.Text, "éEND\n[170410 bytes of output were dropped in the middle: write the output to a file and read or search that, or let the command print less]\n[exit code 3]"))
	is.True(!strings.Contains(r.Text, "\uFFFD")) // no character is cut in two

	play(strings.Repeat("\xff", 100_000), sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3})
	r = use(t, s, "execute", object{"command": "x"})
	is.True(len(r.Text) <= DefaultMaxOutput && strings.HasSuffix(r.Text, "[exit code 3]"))
}
