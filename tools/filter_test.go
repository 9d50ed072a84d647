package tools

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// No tool shows a file that the rules for read deny, whatever the name in the call.
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
	for _, place := range []string{"priv", "dir", "dir/deep", ".env", "link.txt", "keys/x.pem", "priv/deep/notes.txt"} {
		r := use(t, s, "grep", object{"pattern": "password", "path": place})
		is.True(!strings.Contains(r.Text+string(r.JSON), secret))
		is.True(r.IsError)
	}
	// A result does not say that something was left out: that would answer questions.
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

// grep shows files that the rules for read ask about only if somebody allowed the grep.
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
