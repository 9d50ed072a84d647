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

func TestCommandRules(t *testing.T) {
	rules := func(rules ...Rule) []Rule {
		for i := range rules {
			rules[i].Operation = OpExecute
		}
		return rules
	}
	gitOnly := &Permissions{Default: Deny, Rules: rules(
		Rule{Pattern: "git push *", Action: Ask}, Rule{Pattern: "git *", Action: Allow},
		Rule{Pattern: "go test ./...", Action: Allow}, Rule{Pattern: "timeout * go test *", Action: Allow},
	)}
	noRemoval := &Permissions{Default: Allow, Rules: rules(Rule{Pattern: "rm *", Action: Deny}, Rule{Pattern: "curl * http://*", Action: Deny})}
	for _, test := range []struct {
		permissions *Permissions
		command     string
		want        Action
	}{
		{gitOnly, "git status", Allow},
		{gitOnly, "git", Allow},
		{gitOnly, `"git" log --format='%h; rm'`, Allow},
		{gitOnly, "git status; rm x", Deny},
		{gitOnly, "git status && git log | git apply", Allow},
		{gitOnly, "git push origin", Ask},
		{gitOnly, "/usr/bin/git push", Deny}, // possibly git push, but not allowed in the first place
		{gitOnly, "/tmp/git status", Deny},   // another program
		{gitOnly, "git log $X *.go", Allow},
		{gitOnly, "git $X", Ask}, // it may be push
		{gitOnly, "git log $(rm x)", Deny},
		{gitOnly, "gitk", Deny},
		{gitOnly, "go test ./...", Allow},
		{gitOnly, "go test ./... -exec rm", Deny},
		{gitOnly, "go test", Deny},
		{gitOnly, "go test $X", Deny},
		{gitOnly, "timeout 10 go test", Allow},
		{gitOnly, "timeout 10 rm x", Deny},
		{gitOnly, "GIT_SSH=/tmp/x git fetch", Deny},

		{noRemoval, "ls", Allow},
		{noRemoval, "rm x", Deny},
		{noRemoval, "/bin/rm x", Deny},
		{noRemoval, "r\\m x", Deny},
		{noRemoval, "ls\nrm x", Deny},
		{noRemoval, "ls & rm x", Deny},
		{noRemoval, "echo rm x", Allow},
		{noRemoval, "echo $(rm x)", Ask},
		{noRemoval, "sh -c 'rm x'", Ask},
		{noRemoval, "ls | xargs rm", Ask},
		{noRemoval, "python3 -c 'import os'", Ask},
		{noRemoval, "/usr/bin/python3.12 -Ic 'import os'", Ask},
		{noRemoval, "python $X", Ask},
		{noRemoval, "python3 x.py", Allow},
		{noRemoval, "find . -exec rm {} +", Ask},
		{noRemoval, "if true; then rm x; fi", Ask},
		{noRemoval, "curl -s http://x", Deny},
		{noRemoval, "curl $FLAGS http://x", Deny}, // one word, more or none
		{noRemoval, "curl -s https://x", Allow},
		{noRemoval, "curl -s $URL", Deny},
		{noRemoval, "cd /etc; echo x > passwd", Ask},

		// Nothing to find in it, so nothing is parsed.
		{Permissive(), "echo $(rm x)", Allow},
		{Default(), "ls", Ask},
		{ReadOnly(), "ls", Deny},
		{Strict(), "ls", Ask},
	} {
		t.Run(test.command, func(t *testing.T) {
			is := is.New(t)
			p, err := compile(test.permissions)
			is.NoErr(err)
			got, _, _ := p.command(test.command)
			is.Equal(got, test.want)
		})
	}
}
