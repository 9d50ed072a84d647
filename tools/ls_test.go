package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestLs(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{
		"b.txt": "12345", "a/x": "", "z/y": "", "to -> b.txt": "", ".env": "KEY=1", "new\nline": "",
	})
	s := newSet(t, sb, nil)
	r := use(t, s, "ls", object{})
	is.Equal(r.Text, "a/\nz/\nb.txt  5\n\"new\\nline\"  0\nto -> b.txt\n[1 hidden entry not shown: set hidden]")
	var v struct {
		Path    string
		Entries []entry
	}
	is.NoErr(json.Unmarshal(r.JSON, &v))
	is.Equal(v.Path, "/workspace")
	is.Equal(v.Entries[4], entry{Name: "to", Type: "symlink", Target: "b.txt"})

	r = use(t, s, "ls", object{"path": "a/..", "hidden": true})
	is.True(strings.Contains(r.Text, ".env  5")) // names are not contents
	is.Equal(use(t, newSet(t, NewFake(nil), nil), "ls", `{"path":null}`).Text, "(empty directory)")

	many := map[string]string{}
	for i := range 1500 {
		many[fmt.Sprintf("file%04d", i)] = ""
	}
	r = use(t, newSet(t, NewFake(many), nil), "ls", object{})
	is.Equal(strings.Count(r.Text, "\n"), 1000)
	is.True(strings.HasSuffix(r.Text, "[500 more entries not shown: use glob with a pattern such as a* and this path]"))
}
