package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestEdit(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a.txt": "one\n\ttwo\nthree\n", "dup": "x\ny\nx\nx\n", "crlf": "a\r\nb\r\n", "to -> a.txt": ""})
	s := newSet(t, sb, nil)
	use(t, s, "read_file", object{"path": "to"}) // a symlink's spelling is the same file
	r := use(t, s, "edit_file", object{"path": "../workspace/a.txt", "old_string": "\ttwo", "new_string": "2\n2"})
	is.Equal(r.Text, "edited ../workspace/a.txt: 1 replacement\n     1\tone\n     2\t2\n     3\t2\n     4\tthree")
	is.Equal(sb.Get("a.txt"), "one\n2\n2\nthree\n")
	r = use(t, s, "edit_file", object{"path": "to", "old_string": "three", "new_string": "3"})
	is.True(!r.IsError) // its own edit does not make it stale
	sb.Put("a.txt", "one\nchanged\n")
	r = use(t, s, "edit_file", object{"path": "a.txt", "old_string": "one", "new_string": "1"})
	is.Equal(r.Text, "a.txt has changed since you read it: read it again with read_file, then edit it")
	is.Equal(sb.Get("a.txt"), "one\nchanged\n")

	use(t, s, "read_file", object{"path": "dup"})
	r = use(t, s, "edit_file", object{"path": "dup", "old_string": "x", "new_string": "z"})
	is.Equal(r.Text, "old_string is in dup 3 times, at lines 1, 3, 4: nothing was changed; add lines around it until it is unique, or set replace_all")
	r = use(t, s, "edit_file", object{"path": "dup", "old_string": "x", "new_string": "z", "replace_all": true})
	is.True(strings.HasPrefix(r.Text, "edited dup: 3 replacements\n"))
	is.Equal(sb.Get("dup"), "z\ny\nz\nz\n")
	r = use(t, s, "edit_file", object{"path": "dup", "old_string": "nowhere", "new_string": ""})
	is.Equal(r.Text, "old_string is not in dup: nothing was changed; read it again with read_file, and copy the text exactly")
	use(t, s, "read_file", object{"path": "crlf"})
	r = use(t, s, "edit_file", object{"path": "crlf", "old_string": "a\nb", "new_string": ""})
	is.Equal(r.Text, "old_string is not in crlf: nothing was changed; the lines of this file end in CRLF: write \\r\\n in old_string and new_string")

	sb.Put("go", "func f() {\n\treturn  1\n}\n")
	use(t, s, "read_file", object{"path": "go"})
	r = use(t, s, "edit_file", object{"path": "go", "old_string": "func f() {\n    return 1\n}", "new_string": ""})
	is.Equal(r.Text, "old_string is not in go: nothing was changed; the closest is at line 1, as it is in the file:\nfunc f() {\n\treturn  1\n}\ncopy it exactly, with its spaces and tabs")
}
