package tools

import (
	"path"
	"testing"

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
