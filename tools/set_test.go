package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func newSet(t testing.TB, sb Sandbox, opts *Options) *Set {
	t.Helper()
	if opts == nil {
		opts = &Options{Permissions: Permissive()}
	}
	s, err := New(sb, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type object = map[string]any

// use calls a tool that must not return a Go error.
func use(t testing.TB, s *Set, tool string, args any) *Result {
	t.Helper()
	raw, ok := args.(string)
	if !ok {
		b, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
	}
	r, err := s.Call(context.Background(), tool, json.RawMessage(raw))
	if err != nil {
		t.Fatalf("%s %s: %v", tool, raw, err)
	}
	if r.JSON != nil && !json.Valid(r.JSON) {
		t.Fatalf("%s: invalid JSON: %s", tool, r.JSON)
	}
	return r
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

// Failures of the sandbox and the end of the context are errors, and no results.
func TestErrors(t *testing.T) {
	calls := []struct{ tool, args string }{
		{"ls", `{}`}, {"read_file", `{"path":"a"}`}, {"write_file", `{"path":"a","content":""}`},
		{"edit_file", `{"path":"a","old_string":"x","new_string":"y"}`}, {"glob", `{"pattern":"*"}`},
		{"grep", `{"pattern":"x"}`}, {"execute", `{"command":"x"}`}, {"start_job", `{"command":"x"}`}, {"job_output", `{"id":1}`},
		{"list_jobs", `{}`}, {"stop_job", `{"id":1}`}, {"python", `{"code":"1"}`},
	}
	cause := errors.New("the user left")
	canceled, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	for _, call := range calls {
		t.Run(call.tool, func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(map[string]string{"a": "x"})
			s := newSet(t, sb, nil)
			use(t, s, "read_file", `{"path":"a"}`)
			for _, lost := range []error{sandbox.ErrLost, sandbox.ErrClosed} {
				sb.Err = &sandbox.Error{Op: "read", Err: lost}
				r, err := s.Call(context.Background(), call.tool, json.RawMessage(call.args))
				is.True(errors.Is(err, lost))
				is.True(r == nil)
			}
			sb.Err = nil
			_, err := s.Call(canceled, call.tool, json.RawMessage(call.args))
			is.Equal(err, cause)
		})
	}
	is := is.New(t)
	_, err := Tool{Name: "x"}.Call(context.Background(), nil)
	is.True(err != nil)
}

// BenchmarkCall measures a call without a sandbox.
func BenchmarkCall(b *testing.B) {
	s := newSet(b, NewFake(map[string]string{"a": "x\n"}), nil)
	args := json.RawMessage(`{"path":"a"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Call(context.Background(), "read_file", args); err != nil {
			b.Fatal(err)
		}
	}
}

// The result of a call of no tool lists the tools.
func TestNoSuchTool(t *testing.T) {
	plainSet := newSet(t, NewFake(nil), nil)
	readOnly := newSet(t, NewFake(nil), &Options{Permissions: ReadOnly()})
	const none = "the tools are ls, read_file, write_file, edit_file, glob, grep, execute, start_job, job_output, list_jobs, stop_job, python"
	for _, test := range []struct {
		name string
		set  *Set
		tool string
		args string
		want string
	}{
		{"unknown tool", plainSet, "bash", `{}`, `there is no tool bash: ` + none},
		{"hostile tool name", plainSet, "a\x1b[2J\n", `{}`, `there is no tool "a\x1b[2J\n": ` + none},
		{"empty tool name", plainSet, "", `{}`, `there is no tool "": ` + none},
		{"denied tool", readOnly, "execute", `{}`, `the tool execute is not permitted here: the tools are ls, read_file, glob, grep`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r := use(t, test.set, test.tool, test.args)
			is.Equal(r.Text, test.want)
			is.True(r.IsError)
		})
	}
}
