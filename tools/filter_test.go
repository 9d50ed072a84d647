package tools

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"
)

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
