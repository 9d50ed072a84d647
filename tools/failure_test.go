package tools

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"
)

// A failure that the model can do something about is a result with the next step.
func TestFailures(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	sb := NewFake(map[string]string{"a.txt": "one\n", "bin": "\x00\x01", "link -> loop": "", "loop -> link": ""})
	plainSet := newSet(t, sb, nil)
	hashSet := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
	readOnly := newSet(t, sb, &Options{Permissions: ReadOnly()})
	silent := newSet(t, sb, &Options{AskTimeout: 10 * time.Millisecond, Ask: func(context.Context, Request) (Decision, error) {
		<-never
		return Decision{Allow: true}, nil
	}})
	for _, test := range []struct {
		name string
		set  *Set
		tool string
		args string
		want string
	}{
		{"no such file", plainSet, "read_file", `{"path":"../x"}`, `../x does not exist: list its directory with ls, or find it with glob`},
		{"a directory", plainSet, "read_file", `{"path":"."}`, `. is a directory: use ls to list it`},
		{"a file as a directory", plainSet, "read_file", `{"path":"a.txt/x"}`, `a.txt/x: a part of this path is a file and not a directory`},
		{"a loop", plainSet, "read_file", `{"path":"link"}`, `link: too many symbolic links, one of which leads back to itself`},
		{"past the end", plainSet, "read_file", `{"path":"a.txt","offset":2}`, `offset 2 is past the end of a.txt, which has 1 line`},
		{"binary", plainSet, "read_file", `{"path":"bin"}`, `bin is a binary file (application/octet-stream, 2 bytes), which cannot be shown as text: look into it by execute, with a program such as od -c, unzip -l or python`},
		{"binary without execute", readOnly, "read_file", `{"path":"bin"}`, `bin is a binary file (application/octet-stream, 2 bytes), which cannot be shown as text`},
		{"ls of a file", plainSet, "ls", `{"path":"a.txt"}`, `a.txt is a file, not a directory: use read_file to read it`},
		{"write a directory", plainSet, "write_file", `{"path":"sub/","content":""}`, `sub/ names a directory: give the path of a file, without a slash at its end`},
		{"write the work dir", plainSet, "write_file", `{"path":"..","content":""}`, `.. is a directory: use ls to list it`},
		{"overwrite unread", plainSet, "write_file", `{"path":"a.txt","content":""}`, `a.txt exists and has not been read yet: read it with read_file first, then write it, so that nothing is lost that you do not know of`},
		{"edit unread", plainSet, "edit_file", `{"path":"a.txt","old_string":"one","new_string":"two"}`, `a.txt has not been read yet: read it with read_file first, then edit it`},
		{"edit nothing", plainSet, "edit_file", `{"path":"a.txt","old_string":"one","new_string":"one"}`, `old_string and new_string are the same: nothing was changed`},
		{"edit no file", plainSet, "edit_file", `{"path":"b.txt","old_string":"one","new_string":"two"}`, `b.txt does not exist: list its directory with ls, or find it with glob`},
		{"anchors of an unread file", hashSet, "hashline_edit", `{"path":"a.txt","edits":[{"op":"delete","anchor":"1:0000"}]}`, `a.txt has not been read yet: read it with read_file first, then edit it`},

		{"regular expression", plainSet, "grep", `{"pattern":"a(b"}`, "pattern does not compile: error parsing regexp: missing closing ): `a(b`: the syntax is RE2, in which . ( ) [ { + * ? | ^ $ and \\ are special; put a backslash before one that stands for itself"},
		{"glob pattern", plainSet, "glob", `{"pattern":"[a"}`, `pattern "[a": a [ has no ]; write \[ for the character itself: nothing was searched; correct the pattern, or put a backslash before a character that stands for itself`},
		{"include pattern", plainSet, "grep", `{"pattern":"a","include":"{a"}`, `pattern "{a": a { has no }; write \{ for the character itself: nothing was searched; correct the pattern, or put a backslash before a character that stands for itself`},
		{"glob path that begins with -", plainSet, "glob", `{"pattern":"*","path":"-rf"}`, `-rf does not exist: list its directory with ls, or find it with glob`},
		{"glob of a directory", plainSet, "glob", `{"pattern":"/"}`, `pattern "/" names a directory: end it with a name or a wildcard, such as /*; use ls to list one`},
		{"glob upward", plainSet, "glob", `{"pattern":"*/{../..,x}/*"}`, `pattern "*/{../..,x}/*" has a .. after a wildcard: give the directory to start in as path`},

		{"ask never answers", silent, "execute", `{"command":"ls"}`, `permission denied: this command needs an approval, and nobody answered within 10ms: go on without it, or try again later`},
		{"ask never answers about a path", silent, "write_file", `{"path":"../x","content":""}`, `permission denied: write of /x needs an approval, and nobody answered within 10ms: go on without it, or try again later`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r := use(t, test.set, test.tool, test.args)
			is.Equal(r.Text, test.want)
			is.True(r.IsError)
		})
	}
}
