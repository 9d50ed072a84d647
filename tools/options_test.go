package tools

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestOptions(t *testing.T) {
	for name, opts := range map[string]*Options{
		"negative timeout":         {Timeout: -1},
		"too short a limit":        {MaxTimeout: time.Millisecond},
		"too small an output":      {MaxOutput: 10},
		"environment":              {Env: []string{"=x"}},
		"NUL":                      {Env: []string{"A=\x00"}},
		"unknown operation":        {Permissions: &Permissions{Rules: []Rule{{Operation: "fly", Action: Deny}}}},
		"unknown action":           {Permissions: &Permissions{Rules: []Rule{{Operation: OpRead, Action: "no"}}}},
		"no action":                {Permissions: &Permissions{Rules: []Rule{{Operation: OpRead}}}},
		"pattern":                  {Permissions: &Permissions{Rules: []Rule{{Pattern: "[a", Action: Deny}}}},
		"command that is no UTF-8": {Permissions: &Permissions{Rules: []Rule{{Operation: OpExecute, Pattern: "\xff *", Action: Deny}}}},
		"brace":                    {Permissions: &Permissions{Rules: []Rule{{Pattern: "{a", Action: Deny}}}},
		"upward":                   {Permissions: &Permissions{Rules: []Rule{{Pattern: "../x", Action: Deny}}}},
		"default operation":        {Permissions: &Permissions{Defaults: map[Operation]Action{OpAny: Deny}}},
		"default action":           {Permissions: &Permissions{Default: "never"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := New(NewFake(nil), opts)
			is.True(err != nil)
			is.True(strings.HasPrefix(err.Error(), "tools: "))
		})
	}
	is := is.New(t)
	_, err := New(NewFake(nil), &Options{Permissions: &Permissions{Rules: []Rule{{Pattern: "ok", Action: Allow}, {Operation: OpRead, Pattern: "a[", Action: Deny}}}})
	is.Equal(err.Error(), `tools: permissions: rule 2: pattern "a[" does not compile: a [ has no ]; write \[ for the character itself`)
}
