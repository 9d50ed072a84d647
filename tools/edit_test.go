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

// The numbers of a dozen lines are not all listed.
func TestOccurrences(t *testing.T) {
	for _, test := range []struct {
		name, content, text, want string
	}{
		{"one", "a\nb\n", "b", "2"},
		{"twice in a line", "aa\n", "a", "1, 1"},
		{"across lines", "a\nb\na\nb\na\nb", "b\na", "2, 4"},
		{"ten", strings.Repeat("x\n", 10), "x", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"},
		{"twelve", strings.Repeat("x\n", 12), "x", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..."},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(occurrences(test.content, test.text), test.want)
		})
	}
}

// The place that the model probably meant is found in spite of white space.
func TestClosest(t *testing.T) {
	const content = "func f() {\n\treturn  1\n}\n\nfunc g() {\n}\n"
	for _, test := range []struct {
		name, old, want string
		number          int
	}{
		{"same lines", "func f() {\n  return 1", "func f() {\n\treturn  1", 1},
		{"line ends around", "\n\nfunc  g() {\n\n", "func g() {", 5},
		{"longest line", "func f() {\n\treturn 1\n\t}\n//", "func f() {", 1},
		{"part of a line", "  return", "\treturn  1", 2},
		{"more lines than there are", strings.Repeat("func g() {\n", 20), "func g() {", 5},
		{"nothing", "nowhere", "", 0},
		{"white space", " \n\t\n", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			number, text := closest(content, test.old)
			is.Equal(number, test.number)
			is.Equal(text, test.want)
		})
	}
}
