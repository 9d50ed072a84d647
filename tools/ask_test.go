package tools

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

// yes allows whatever it is asked.
func yes(context.Context, Request) (Decision, error) { return Decision{Allow: true}, nil }

func TestAsk(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a": "x", "to -> a": ""})
	var got []Request
	var answer Decision
	s := newSet(t, sb, &Options{Ask: func(_ context.Context, r Request) (Decision, error) {
		got = append(got, r)
		return answer, nil
	}})
	use(t, s, "read_file", object{"path": "a"}) // is not asked about
	is.Equal(len(got), 0)

	r := use(t, s, "write_file", object{"path": "to", "content": "<y>"})
	is.Equal(r.Text, "permission denied: write of /workspace/a was refused by the user: do not try it in another way; go on without it, or tell the user what you need")
	is.Equal(got[0].Tool, "write_file")
	is.Equal(got[0].Operation, OpWrite)
	is.Equal(got[0].Path, "/workspace/a") // the file, and not the name in the call
	is.Equal(string(got[0].Args), `{"content":"<y>","path":"to"}`)

	answer = Decision{Reason: "use the branch instead"}
	r = use(t, s, "execute", object{"command": "make"})
	is.Equal(r.Text, "permission denied: this command was refused by the user, who says: use the branch instead")
	is.Equal(got[1].Command, "make")
	is.Equal(string(got[1].Args), `{"command":"make","timeout_seconds":120}`)

	answer = Decision{Allow: true}
	for range 2 {
		is.True(!use(t, s, "write_file", object{"path": "a", "content": "y"}).IsError)
	}
	is.Equal(len(got), 4) // once is once

	answer = Decision{Allow: true, Always: true}
	use(t, s, "write_file", object{"path": "a", "content": "z"})
	use(t, s, "execute", object{"command": "make"})
	is.Equal(len(got), 6)
	answer = Decision{}
	is.True(!use(t, s, "write_file", object{"path": "../workspace/to", "content": "z"}).IsError) // one path
	is.True(!use(t, s, "execute", object{"command": "make"}).IsError)
	is.Equal(len(got), 6)
	is.True(use(t, s, "write_file", object{"path": "b", "content": ""}).IsError)
	is.True(use(t, s, "execute", object{"command": "make "}).IsError)
	is.True(use(t, s, "edit_file", object{"path": "a", "old_string": "z", "new_string": ""}).IsError)
	is.Equal(len(got), 9)
	is.Equal(sb.Get("b"), "(no such file)")

	// Nobody is asked about a call that a rule denies.
	is.True(use(t, s, "write_file", object{"path": ".env", "content": ""}).IsError)
	is.Equal(len(got), 9)
}

// Files of redirections are subject to the rules, and a Request has the reason.
func TestRedirections(t *testing.T) {
	is := is.New(t)
	var reasons []string
	p := &Permissions{Default: Allow, Defaults: map[Operation]Action{OpWrite: Ask}, Rules: []Rule{
		{OpWrite, "/tmp/**", Allow}, {OpWrite, ".env", Deny}, {OpRead, ".env", Deny}, {OpExecute, "rm *", Deny},
	}}
	s := newSet(t, NewFake(map[string]string{"to -> .env": "", "d -> /tmp": ""}), &Options{Permissions: p, Ask: func(_ context.Context, r Request) (Decision, error) {
		reasons = append(reasons, r.Reason)
		return Decision{Allow: true}, nil
	}})
	for _, test := range []struct{ name, command, want string }{
		{"allowed by a rule", "echo x >/tmp/y", ""},
		{"allowed through a symlink", "echo x >d/y 2>/dev/null", ""},
		{"asked by default", "echo x >y", "the rules ask about the redirection to /workspace/y"},
		{"denied through a symlink", "echo x >>to", "denied"},
		{"denied to read", "cat <.env", "denied"},
		{"one of two denied", "cat <to >/tmp/y", "denied"},
		{"substitution", "echo $(id)", "the rules cannot judge a command substitution $("},
		{"program that runs others", "sh -c id", "the rules cannot judge what sh runs"},
		{"relative path after cd", "cd /etc && echo x > passwd", "the rules cannot judge a redirection to a relative path after cd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			reasons = nil
			r := use(t, s, "execute", object{"command": test.command})
			got := strings.Join(reasons, ", ")
			if r.IsError {
				got = "denied"
			}
			is.Equal(got, test.want)
		})
	}
	r := use(t, s, "execute", object{"command": "cat <to"})
	is.Equal(r.Text, "permission denied: this command is not allowed here (the rules deny the redirection to /workspace/.env): do not try it in another way; go on without it, or tell the user what you need")
	o := &Options{Permissions: p}
	r = use(t, newSet(t, NewFake(nil), o), "execute", object{"command": "echo $(id)"})
	is.Equal(r.Text, "permission denied: this command needs an approval (the rules cannot judge a command substitution $(), and nobody can be asked: do not try it in another way; go on without it, or tell the user what you need")
}

// Ask ends after AskTimeout, and with the context of the call.
func TestAskTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		sb := NewFake(nil)
		var ended atomic.Bool
		s := newSet(t, sb, &Options{Ask: func(ctx context.Context, _ Request) (Decision, error) {
			<-ctx.Done()
			ended.Store(true)
			return Decision{}, ctx.Err()
		}})
		start := time.Now()
		r := use(t, s, "execute", object{"command": "make"})
		is.Equal(time.Since(start), DefaultAskTimeout)
		is.Equal(r.Text, "permission denied: this command needs an approval, and nobody answered within 5m0s: go on without it, or try again later")
		synctest.Wait()
		is.True(ended.Load())

		cause := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(cause) })
		_, err := s.Call(ctx, "execute", json.RawMessage(`{"command":"make"}`))
		is.Equal(err, cause)

		broken := errors.New("no terminal")
		s = newSet(t, sb, &Options{Ask: func(context.Context, Request) (Decision, error) { return Decision{Allow: true}, broken }})
		_, err = s.Call(t.Context(), "execute", json.RawMessage(`{"command":"make"}`))
		is.True(errors.Is(err, broken)) // the caller's own failure, and nothing was run
	})
}
