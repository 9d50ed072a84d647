package tools

import (
	"testing"

	"github.com/matryer/is"
)

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
