package tools

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func TestPathRules(t *testing.T) {
	for _, test := range []struct {
		pattern string
		action  Action
		path    string
		want    bool
	}{
		{"", Deny, "/x", true},
		{"*", Deny, "/x/y", true},
		{"**", Allow, "/", true},
		{"/etc/passwd", Deny, "/etc/passwd", true},
		{"/etc/passwd", Deny, "/workspace/etc/passwd", false},
		{"/etc", Deny, "/etc/passwd", true}, // all that is in it
		{"/etc", Allow, "/etc/passwd", false},
		{"/etc/**", Allow, "/etc/ssl/x", true},
		{"/etc/**", Allow, "/etc", true},
		{"/etc/**", Allow, "/etcetera", false},
		{"/etc/*", Allow, "/etc/ssl/x", false},
		{"/etc/*", Deny, "/etc/ssl/x", true},
		{"*.pem", Deny, "/workspace/a/key.pem", true},
		{"*.pem", Deny, "/key.pem", true},
		{"*.pem", Deny, "/key.pem.txt", false},
		{".ssh", Deny, "/root/.ssh/id", true},
		{"src/*.go", Allow, "/workspace/src/a.go", true},
		{"src/*.go", Allow, "/tmp/src/a.go", false},
		{"src/*.go", Allow, "/workspace/x/src/a.go", false},
		{"src/", Deny, "/workspace/x/src/a", true},
		{"**/src/*.go", Allow, "/tmp/src/a.go", true},
		{"/a/**/b", Allow, "/a/b", true},
		{"/a/**/b", Allow, "/a/x/y/b", true},
		{"/a/**/b", Allow, "/ab", false},
		{"/a?c", Allow, "/a/c", false},
		{"/[!a]", Allow, "/b", true},
		{"/x[!a]y", Allow, "/x/y", false},
		{"/{a,b{c,d}}.*", Allow, "/bd.x", true},
		{"/{a,b}", Allow, "/c", false},
		{`/\*`, Allow, "/*", true},
		{`/\*`, Allow, "/x", false},
		{"/ä*", Allow, "/äö\n", true},
		{"/a.c", Allow, "/abc", false},
		{"/proc/*/environ", Deny, "/proc/1/environ", true},
	} {
		t.Run(test.pattern+" "+test.path, func(t *testing.T) {
			is := is.New(t)
			r, err := compileRule(Rule{Operation: OpRead, Pattern: test.pattern, Action: test.action})
			is.NoErr(err)
			is.Equal(r.matches("/workspace", test.path), test.want)
		})
	}
}

func toolNames(s *Set) string {
	var names []string
	for _, t := range s.Tools() {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

// What is denied outright is not there, and neither is what would be asked of nobody.
func TestPresets(t *testing.T) {
	const executes = " execute start_job job_output list_jobs stop_job python"
	const all = "ls read_file write_file edit_file glob grep" + executes
	const looks = "ls read_file glob grep"
	denyWrites := &Permissions{Default: Allow, Rules: []Rule{{OpWrite, "*.md", Allow}, {OpWrite, "", Deny}, {OpEdit, "/**", Deny}, {OpEdit, "x", Allow}}}
	for _, test := range []struct {
		name        string
		permissions *Permissions
		ask         bool
		want        string
	}{
		{"none", nil, true, all},
		{"none, nobody to ask", nil, false, looks},
		{"default", Default(), true, all},
		{"default, nobody to ask", Default(), false, looks},
		{"permissive", Permissive(), false, all},
		{"read-only", ReadOnly(), true, looks},
		{"strict", Strict(), true, all},
		{"strict, nobody to ask", Strict(), false, ""},
		{"zero", &Permissions{}, true, all},
		{"by rules", denyWrites, false, "ls read_file write_file glob grep" + executes},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			o := &Options{Permissions: test.permissions}
			if test.ask {
				o.Ask = yes
			}
			is.Equal(toolNames(newSet(t, NewFake(nil), o)), test.want)
		})
	}
	for name, p := range map[string]*Permissions{"default": Default(), "permissive": Permissive(), "read-only": ReadOnly(), "strict": Strict()} {
		t.Run(name+" keeps secrets", func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(map[string]string{".env": "KEY=1", "sub/id_rsa": "KEY", "/home/sandbox/.ssh/config": "x", "safe.txt -> sub/id_rsa": "", "up -> .": "", "ok": "x"})
			s := newSet(t, sb, &Options{Permissions: p, Ask: yes})
			for _, file := range []string{".env", "./.env", "../workspace/.env", "sub/../.env", "up/up/.env", "/workspace//.env", "sub/id_rsa", "safe.txt", "/home/sandbox/.ssh/config", ".env.local"} {
				r := use(t, s, "read_file", object{"path": file})
				is.True(r.IsError)
				is.True(strings.HasPrefix(r.Text, "permission denied: read of /"))
				is.True(strings.HasSuffix(r.Text, " is not allowed here: do not try it in another way; go on without it, or tell the user what you need"))
			}
			is.True(!use(t, s, "read_file", object{"path": "ok"}).IsError)
		})
	}
}

// No tool shows what read denies, whatever it is called.
func TestNothingLeaks(t *testing.T) {
	is := is.New(t)
	const secret = "hunter2"
	files := map[string]string{
		"a.txt": "password: none\n", ".env": "password: " + secret + "\n", "keys/x.pem": "password: " + secret + "\n",
		"priv/deep/notes.txt": "password: " + secret + "\n", "link.txt -> .env": "", "dir -> priv": "",
	}
	rules := append(Permissive().Rules, Rule{OpRead, "/workspace/priv", Deny})
	p := &Permissions{Rules: rules, Default: Allow}
	s := newSet(t, NewFake(files), &Options{Permissions: p})
	for _, args := range []object{
		{"pattern": "password"}, {"pattern": "password", "hidden": true}, {"pattern": "password", "output_mode": "count", "hidden": true},
		{"pattern": "password", "output_mode": "files_with_matches", "hidden": true}, {"pattern": ".", "before": 3, "after": 3, "hidden": true},
	} {
		r := use(t, s, "grep", args)
		is.True(strings.HasPrefix(r.Text, "a.txt"))
		for _, no := range []string{secret, ".env", "pem", "priv", "dir"} {
			is.True(!strings.Contains(r.Text+string(r.JSON), no))
		}
	}
	for _, where := range []string{"priv", "dir", "dir/deep", ".env", "link.txt", "keys/x.pem", "priv/deep/notes.txt"} {
		r := use(t, s, "grep", object{"pattern": "password", "path": where})
		is.True(!strings.Contains(r.Text+string(r.JSON), secret))
		is.True(r.IsError)
	}
	// Whether something was left out cannot be told, or it would answer questions.
	with := use(t, s, "grep", object{"pattern": secret, "hidden": true})
	is.Equal(with, use(t, s, "grep", object{"pattern": secret + "x", "hidden": true}))

	r := use(t, s, "glob", object{"pattern": "**", "hidden": true})
	for _, no := range []string{".env", "pem", "priv", "dir", "link"} {
		is.True(!strings.Contains(r.Text+string(r.JSON), no))
	}
	is.True(strings.Contains(r.Text, "a.txt") && strings.Contains(r.Text, "keys/"))
	is.True(!strings.Contains(use(t, s, "glob", object{"pattern": "dir/deep/*"}).Text, "notes"))
	is.True(strings.Contains(use(t, s, "ls", object{"path": "priv/deep"}).Text, "notes.txt")) // a name

	// A file that was written may not be read back through an edit.
	sb := NewFake(nil)
	s = newSet(t, sb, &Options{Permissions: &Permissions{Default: Allow, Rules: []Rule{{OpRead, "log", Deny}}}})
	use(t, s, "write_file", object{"path": "log", "content": "a\n"})
	sb.Put("log", "a\n"+secret+"\n")
	s.remember("/workspace/log", fileHash([]byte("a\n"+secret+"\n")))
	for _, old := range []string{"x  y", "a", " " + secret} {
		is.True(!strings.Contains(use(t, s, "edit_file", object{"path": "log", "old_string": old, "new_string": "b"}).Text, secret))
	}
}

// What read asks about, grep shows only where somebody allowed that grep.
func TestGrepAsks(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a": "word\n", "draft/b": "word\n"})
	asked := 0
	o := &Options{
		Permissions: &Permissions{Default: Allow, Rules: []Rule{{OpRead, "draft", Ask}}},
		Ask: func(context.Context, Request) (Decision, error) {
			asked++
			return Decision{Allow: true, Always: true}, nil
		},
	}
	s := newSet(t, sb, o)
	is.Equal(use(t, s, "grep", object{"pattern": "word"}).Text, "a:1:word")
	is.True(strings.Contains(use(t, s, "glob", object{"pattern": "**/b"}).Text, "draft/b")) // a name
	use(t, s, "read_file", object{"path": "draft/b"})
	is.Equal(asked, 1)
	is.Equal(use(t, s, "grep", object{"pattern": "word"}).Text, "a:1:word\ndraft/b:1:word")

	o.Permissions = Strict()
	s = newSet(t, sb, o)
	is.Equal(use(t, s, "grep", object{"pattern": "word"}).Text, "a:1:word\ndraft/b:1:word")
	is.Equal(asked, 2)
}

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
	is.Equal(got[0].Path, "/workspace/a") // what would be written, not what it was called
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

	// A rule that denies is not up to anybody, and nobody is asked.
	is.True(use(t, s, "write_file", object{"path": ".env", "content": ""}).IsError)
	is.Equal(len(got), 9)
}

// What is redirected to is a file that is written, and the reason goes with the question.
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
	for command, want := range map[string]string{
		"echo x >/tmp/y":             "",
		"echo x >d/y 2>/dev/null":    "",
		"echo x >y":                  "the rules say to ask about the redirection to /workspace/y",
		"echo x >>to":                "denied",
		"cat <.env":                  "denied",
		"cat <to >/tmp/y":            "denied",
		"echo $(id)":                 "the rules cannot judge a command substitution $(",
		"sh -c id":                   "the rules cannot judge what sh runs",
		"cd /etc && echo x > passwd": "the rules cannot judge a redirection to a relative path after cd",
	} {
		reasons = nil
		r := use(t, s, "execute", object{"command": command})
		got := strings.Join(reasons, ", ")
		if r.IsError {
			got = "denied"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	o := &Options{Permissions: p}
	r := use(t, newSet(t, NewFake(nil), o), "execute", object{"command": "echo $(id)"})
	is.Equal(r.Text, "permission denied: this command needs an approval (the rules cannot judge a command substitution $(), and nobody can be asked: do not try it in another way; go on without it, or tell the user what you need")
}

// Whoever is asked has so long, and the context is the call's.
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

func FuzzGlobRule(f *testing.F) {
	for _, pattern := range []string{"/a/**/b", "*.{a,b}", "[!a-z]", `\*`, "**", "/", "a/b", "/{a,{b,c}}/?"} {
		f.Add(pattern, "/a/b")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		r, err := compileRule(Rule{Operation: OpRead, Pattern: pattern, Action: Deny})
		if err != nil || !path.IsAbs(name) {
			return
		}
		name = path.Clean(name)
		// A rule that denies a directory denies what is in it.
		if r.matches("/workspace", name) && !r.matches("/workspace", path.Join(name, "child")) {
			t.Errorf("%q matches %q and not what is in it", pattern, name)
		}
	})
}
