package tools

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestOptions(t *testing.T) {
	rules := func(rules ...Rule) *Permissions { return &Permissions{Rules: rules} }
	for _, test := range []struct {
		name string
		opts Options
		want string
	}{
		{"negative timeout", Options{Timeout: -1}, "Timeout -1ns is negative: leave it out for the default, 2m0s"},
		{"negative longest timeout", Options{Timeout: time.Hour, MaxTimeout: -1}, "MaxTimeout -1ns is negative: leave it out for the default, 1h0m0s"},
		{"negative time to ask", Options{AskTimeout: -1}, "AskTimeout -1ns is negative: leave it out for the default, 5m0s"},
		{"too short a longest timeout", Options{MaxTimeout: time.Millisecond}, "MaxTimeout 1ms: give at least one second"},
		{"too small an output", Options{MaxOutput: 10}, "MaxOutput 10: give at least 1000 bytes"},
		{"environment", Options{Env: []string{"=x"}}, `environment entry "": write KEY=VALUE, without NUL bytes`},
		{"environment with NUL", Options{Env: []string{"A=\x00"}}, `environment entry "A": write KEY=VALUE, without NUL bytes`},

		{"operation", Options{Permissions: rules(Rule{Operation: "fly", Action: Deny})},
			`permissions: rule 1: there is no operation "fly": write one of read, write, edit, execute, ls, glob, grep, or * for all`},
		{"action", Options{Permissions: rules(Rule{Operation: OpRead, Action: "no"})},
			`permissions: rule 1: action "no" is none of allow, ask, deny`},
		{"no action", Options{Permissions: rules(Rule{Operation: OpRead})},
			`permissions: rule 1: action "" is none of allow, ask, deny`},
		{"second rule", Options{Permissions: rules(Rule{Pattern: "ok", Action: Allow}, Rule{Operation: OpRead, Pattern: "a[", Action: Deny})},
			`permissions: rule 2: pattern "a[" does not compile: a [ has no ]; write \[ for the character itself`},
		{"brace", Options{Permissions: rules(Rule{Pattern: "{a", Action: Deny})},
			`permissions: rule 1: pattern "{a" does not compile: a { has no }; write \{ for the character itself`},
		{"upward", Options{Permissions: rules(Rule{Pattern: "../x", Action: Deny})},
			`permissions: rule 1: pattern "../x": there is no ".." in a real path: write it absolute, or relative to the work dir`},
		{"no words", Options{Permissions: rules(Rule{Operation: OpExecute, Pattern: " ", Action: Deny})},
			`permissions: rule 1: pattern " " has no words: leave it out for all commands`},
		{"command that is no UTF-8", Options{Permissions: rules(Rule{Operation: OpExecute, Pattern: "\xff *", Action: Deny})},
			`permissions: rule 1: pattern "\xff *" does not compile: it is not valid UTF-8`},
		{"path that does not compile", Options{Permissions: rules(Rule{Operation: OpRead, Pattern: "/a/[b", Action: Deny})},
			`permissions: rule 1: pattern "/a/[b" does not compile: a [ has no ]; write \[ for the character itself`},
		{"default operation", Options{Permissions: &Permissions{Defaults: map[Operation]Action{OpAny: Deny}}},
			`permissions: default of "*": there is no such operation: write one of read, write, edit, execute, ls, glob, grep`},
		{"default action", Options{Permissions: &Permissions{Defaults: map[Operation]Action{OpLs: "never"}}},
			`permissions: default of ls: "never" is none of allow, ask, deny`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			_, err := New(NewFake(nil), &test.opts)
			is.True(err != nil)
			is.Equal(err.Error(), "tools: "+test.want)
		})
	}
}
