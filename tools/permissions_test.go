package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func toolNames(s *Set) string {
	var names []string
	for _, t := range s.Tools() {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

// A Set has no tools whose calls are all denied, or would be asked about with nobody to ask.
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
