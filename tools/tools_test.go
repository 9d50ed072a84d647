package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

// yes allows whatever it is asked.
func yes(context.Context, Request) (Decision, error) { return Decision{Allow: true}, nil }

func newSet(t testing.TB, sb Sandbox, opts *Options) *Set {
	t.Helper()
	if opts == nil {
		opts = &Options{Permissions: Permissive()}
	}
	s, err := New(sb, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// use calls a tool that must not return a Go error.
func use(t testing.TB, s *Set, tool string, args any) *Result {
	t.Helper()
	raw, ok := args.(string)
	if !ok {
		b, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
	}
	r, err := s.Call(context.Background(), tool, json.RawMessage(raw))
	if err != nil {
		t.Fatalf("%s %s: %v", tool, raw, err)
	}
	if r.JSON != nil && !json.Valid(r.JSON) {
		t.Fatalf("%s: invalid JSON: %s", tool, r.JSON)
	}
	return r
}

type object = map[string]any

func TestBadInput(t *testing.T) {
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
	const none = "the tools are ls, read_file, write_file, edit_file, glob, grep, execute, start_job, job_output, list_jobs, stop_job, python"
	for _, test := range []struct {
		name string
		set  *Set
		tool string
		args string
		want string
	}{
		{"unknown tool", plainSet, "bash", `{}`, `there is no tool bash: ` + none},
		{"hostile tool name", plainSet, "a\x1b[2J\n", `{}`, `there is no tool "a\x1b[2J\n": ` + none},
		{"empty tool name", plainSet, "", `{}`, `there is no tool "": ` + none},
		{"denied tool", readOnly, "execute", `{}`, `the tool execute is not permitted here: the tools are ls, read_file, glob, grep`},
		{"unknown parameter", plainSet, "read_file", `{"path":"a.txt","file":"x"}`, `read_file was not called: unknown parameter "file": read_file takes path (required), offset, limit`},
		{"case of a parameter", plainSet, "read_file", `{"PATH":"a.txt"}`, "read_file was not called: unknown parameter \"PATH\": read_file takes path (required), offset, limit\nparameter \"path\" is missing: give the file's path as a string"},
		{"twice", plainSet, "ls", `{"path":"a","path":"b"}`, `ls was not called: parameter "path" is given twice: give it once`},
		{"missing", plainSet, "read_file", `{}`, `read_file was not called: parameter "path" is missing: give the file's path as a string`},
		{"no arguments", plainSet, "read_file", ``, `read_file was not called: parameter "path" is missing: give the file's path as a string`},
		{"required null", plainSet, "read_file", `{"path":null}`, `read_file was not called: parameter "path" is null: give the file's path as a string`},
		{"number for a string", plainSet, "read_file", `{"path":12}`, `read_file was not called: parameter "path" is the number 12: give the file's path as a string`},
		{"string for a number", plainSet, "read_file", `{"path":"a.txt","offset":"10"}`, `read_file was not called: parameter "offset" is the string "10": give the number of a line as an integer from 1 to 1000000000, without quotes`},
		{"fraction", plainSet, "read_file", `{"path":"a.txt","limit":1.5}`, `read_file was not called: parameter "limit" is the number 1.5: give the number of lines as an integer from 1 to 1000000000`},
		{"huge number", plainSet, "read_file", `{"path":"a.txt","limit":1e999}`, `read_file was not called: parameter "limit" is the number 1e999: give the number of lines as an integer from 1 to 1000000000`},
		{"out of range", plainSet, "read_file", `{"path":"a.txt","offset":0}`, `read_file was not called: parameter "offset" is 0, which is out of range: give the number of a line as an integer from 1 to 1000000000`},
		{"too long a timeout", plainSet, "execute", `{"command":"x","timeout_seconds":601}`, `execute was not called: parameter "timeout_seconds" is 601, which is out of range: give the seconds as an integer from 1 to 600`},
		{"string for a boolean", plainSet, "ls", `{"hidden":"true"}`, `ls was not called: parameter "hidden" is the string "true": give true or false, without quotes`},
		{"array for a string", plainSet, "execute", `{"command":["ls"]}`, `execute was not called: parameter "command" is an array: give the shell command as a string`},
		{"not one of", plainSet, "grep", `{"pattern":"x","output_mode":"lines"}`, `grep was not called: parameter "output_mode" is the string "lines": give one of content, files_with_matches, count`},
		{"invalid JSON", plainSet, "read_file", `{"path": "a.txt"`, `read_file was not called: the arguments are not valid JSON (unexpected end of JSON input): send one JSON object such as {"path": "..."}`},
		{"two values", plainSet, "read_file", `{"path":"a.txt"} {}`, `read_file was not called: the arguments are not valid JSON (invalid character '{' after top-level value): send one JSON object such as {"path": "..."}`},
		{"invalid UTF-8", plainSet, "read_file", "{\"path\":\"\xff\"}", `read_file was not called: the arguments are not valid UTF-8: send one JSON object such as {"path": "..."}`},
		{"an array", plainSet, "execute", `["ls"]`, `execute was not called: the arguments are an array: send a JSON object such as {"command": "..."}`},
		{"a string", plainSet, "execute", `"ls"`, `execute was not called: the arguments are the string "ls": send a JSON object such as {"command": "..."}`},
		{"NUL", plainSet, "read_file", `{"path":"a\u0000b"}`, `read_file was not called: parameter "path" has a NUL byte in it: leave that out`},
		{"empty path", plainSet, "read_file", `{"path":""}`, `read_file was not called: parameter "path" is empty: give the file's path as a string`},
		{"blank command", plainSet, "execute", `{"command":" \n"}`, `parameter "command" has only white space in it: give the shell command as a string`},
		{"empty edits", hashSet, "hashline_edit", `{"path":"a.txt","edits":[]}`, `hashline_edit was not called: parameter "edits" is empty: give the edits as an array`},
		{"in an edit", hashSet, "hashline_edit", `{"path":"a.txt","edits":[{"op":"move"}]}`, `hashline_edit was not called: parameter "edits[0].op" is the string "move": give one of replace, insert_after, delete` + "\n" + `parameter "edits[0].anchor" is missing: give an anchor such as 12:a1b2 as a string`},
		{"a string for edits", hashSet, "hashline_edit", `{"path":"a.txt","edits":"[]"}`, `hashline_edit was not called: parameter "edits" is the string "[]": give the edits as an array`},
		{"a number for an edit", hashSet, "hashline_edit", `{"path":"a.txt","edits":[1]}`, `hashline_edit was not called: parameter "edits[0]" is the number 1: send a JSON object such as {"op": "...", "anchor": "..."}`},

		{"no such file", plainSet, "read_file", `{"path":"../x"}`, `../x does not exist: list its directory with ls, or find it with glob`},
		{"a directory", plainSet, "read_file", `{"path":"."}`, `. is a directory: use ls to list it`},
		{"a file as a directory", plainSet, "read_file", `{"path":"a.txt/x"}`, `a.txt/x: a part of this path is a file and not a directory`},
		{"a loop", plainSet, "read_file", `{"path":"link"}`, `link: too many symbolic links, one of which leads back to itself`},
		{"past the end", plainSet, "read_file", `{"path":"a.txt","offset":2}`, `offset 2 is past the end of a.txt, which has 1 line`},
		{"binary", plainSet, "read_file", `{"path":"bin"}`, `bin is a binary file (application/octet-stream, 2 bytes), which cannot be shown as text: look into it with a program, such as od -c, unzip -l or python, by execute`},
		{"binary without execute", readOnly, "read_file", `{"path":"bin"}`, `bin is a binary file (application/octet-stream, 2 bytes), which cannot be shown as text`},
		{"ls of a file", plainSet, "ls", `{"path":"a.txt"}`, `a.txt is a file, not a directory: use read_file to read it`},
		{"write a directory", plainSet, "write_file", `{"path":"sub/","content":""}`, `sub/ names a directory: give the path of a file, without a slash at its end`},
		{"write the work dir", plainSet, "write_file", `{"path":"..","content":""}`, `.. is a directory: use ls to list it`},
		{"overwrite unread", plainSet, "write_file", `{"path":"a.txt","content":""}`, `a.txt exists and has not been read yet: read it with read_file first, then write it, so that nothing is lost that you do not know of`},
		{"edit unread", plainSet, "edit_file", `{"path":"a.txt","old_string":"one","new_string":"two"}`, `a.txt has not been read yet: read it with read_file first, then edit it`},
		{"edit nothing", plainSet, "edit_file", `{"path":"a.txt","old_string":"one","new_string":"one"}`, `old_string and new_string are the same: nothing was changed`},
		{"edit no file", plainSet, "edit_file", `{"path":"b.txt","old_string":"one","new_string":"two"}`, `b.txt does not exist: list its directory with ls, or find it with glob`},
		{"anchors of an unread file", hashSet, "hashline_edit", `{"path":"a.txt","edits":[{"op":"delete","anchor":"1:0000"}]}`, `a.txt has not been read yet: read it with read_file first, then edit it`},

		{"regular expression", plainSet, "grep", `{"pattern":"a(b"}`, "pattern does not compile: error parsing regexp: missing closing ): `a(b`: the syntax is RE2, in which . ( ) [ { + * ? | ^ $ and \\ mean something; put a backslash before one that is to be found as it is"},
		{"glob pattern", plainSet, "glob", `{"pattern":"[a"}`, `pattern "[a": a [ has no ]; write \[ for the character itself: nothing was looked for; correct it, or take a character as it is with a backslash before it`},
		{"include pattern", plainSet, "grep", `{"pattern":"a","include":"{a"}`, `pattern "{a": a { has no }; write \{ for the character itself: nothing was looked for; correct it, or take a character as it is with a backslash before it`},
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

// A schema is what it says it is: an object that names every parameter, its default and
// its bounds, and nothing else.
func TestSchemas(t *testing.T) {
	is := is.New(t)
	for _, hashline := range []bool{false, true} {
		s := newSet(t, NewFake(nil), &Options{Permissions: Permissive(), HashLine: hashline})
		is.Equal(len(s.Tools()), 12)
		for _, tool := range s.Tools() {
			var v map[string]any
			is.NoErr(json.Unmarshal(tool.Schema, &v))
			is.Equal(v["$schema"], "https://json-schema.org/draft/2020-12/schema")
			strict(is, v)
			is.True(tool.Description != "")
			is.True(!tool.ReadOnly || !tool.Destructive)
		}
	}
	s := newSet(t, NewFake(nil), nil)
	tool, ok := s.Tool("read_file")
	is.True(ok)
	is.Equal(string(tool.Schema), `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{`+
		`"path":{"type":"string","description":"The file, absolute or relative to the work dir.","minLength":1},`+
		`"offset":{"type":"integer","description":"The first line to read, from 1.","default":1,"minimum":1,"maximum":1000000000},`+
		`"limit":{"type":"integer","description":"How many lines to read at most.","default":2000,"minimum":1,"maximum":1000000000}},`+
		`"required":["path"],"additionalProperties":false}`)
	_, ok = s.Tool("hashline_edit")
	is.True(!ok)

	// A Tool is the caller's to change.
	want := string(tool.Schema)
	clear(tool.Schema)
	tool.Name = "changed"
	again, ok := s.Tool("read_file")
	is.True(ok)
	is.Equal(string(again.Schema), want)
}

func strict(is *is.I, v map[string]any) {
	is.Helper()
	is.Equal(v["type"], "object")
	is.Equal(v["additionalProperties"], false)
	properties := v["properties"].(map[string]any)
	required, _ := v["required"].([]any)
	for name, p := range properties {
		p := p.(map[string]any)
		is.True(p["description"] != "") // every parameter is explained
		if items, ok := p["items"].(map[string]any); ok {
			strict(is, items)
		}
		if slices.Contains(required, any(name)) {
			is.True(p["default"] == nil)
		}
	}
}

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

func TestRead(t *testing.T) {
	is := is.New(t)
	long := strings.Repeat("é", 3000)
	sb := NewFake(map[string]string{
		"a.txt": "one\ntwo\nthree", "empty": "", "long": long + "\nnext\n", "crlf": "a\r\nb\r\n",
		"latin": "caf\xe9\n", "lines": strings.Repeat("0123456789\n", 5000),
	})
	s := newSet(t, sb, nil)
	is.Equal(use(t, s, "read_file", object{"path": "a.txt"}).Text, "     1\tone\n     2\ttwo\n     3\tthree")
	is.Equal(use(t, s, "read_file", object{"path": "a.txt", "offset": 2, "limit": 1}).Text, "     2\ttwo\n[lines 2 to 2 of 3; use read_file with offset 3 to go on]")
	is.Equal(use(t, s, "read_file", object{"path": "a.txt", "offset": 3}).Text, "     3\tthree\n[lines 3 to 3 of 3]")
	is.Equal(use(t, s, "read_file", object{"path": "empty"}).Text, "(empty file)")
	is.Equal(use(t, s, "read_file", object{"path": "long"}).Text,
		"     1\t"+strings.Repeat("é", 2000)+"... [line cut: 1000 more characters; use a command such as cut -c with execute]\n     2\tnext")
	is.Equal(use(t, s, "read_file", object{"path": "crlf"}).Text, "     1\ta\n     2\tb\n[lines end in CRLF (\\r\\n), which is not shown]")
	is.Equal(use(t, s, "read_file", object{"path": "latin"}).Text, "     1\tcaf\uFFFD")

	r := use(t, s, "read_file", object{"path": "lines"})
	is.True(len(r.Text) <= DefaultMaxOutput)
	is.True(strings.HasSuffix(r.Text, "[lines 1 to 1644 of 5000; use read_file with offset 1645 to go on]"))
	next := use(t, s, "read_file", object{"path": "lines", "offset": 1645})
	is.True(strings.HasPrefix(next.Text, "  1645\t0123456789\n")) // as it said

	small := newSet(t, sb, &Options{MaxOutput: 1000})
	is.True(len(use(t, small, "read_file", object{"path": "long"}).Text) <= 1000)
}

func TestWriteAndEdit(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a.txt": "one\n\ttwo\nthree\n", "dup": "x\ny\nx\nx\n", "crlf": "a\r\nb\r\n", "to -> a.txt": ""})
	s := newSet(t, sb, nil)

	is.Equal(use(t, s, "write_file", object{"path": "sub/new.txt", "content": "a\nb"}).Text, "created sub/new.txt: 2 lines, 3 bytes")
	is.Equal(sb.Get("sub/new.txt"), "a\nb")
	is.Equal(use(t, s, "write_file", object{"path": "sub/new.txt", "content": ""}).Text, "replaced sub/new.txt: 0 lines, 0 bytes") // known, because it was written
	sb.Put("sub/new.txt", "another's")
	r := use(t, s, "write_file", object{"path": "sub/new.txt", "content": "mine"})
	is.Equal(r.Text, "sub/new.txt has changed since you read it: read it again with read_file, then write it")
	is.True(r.IsError)
	is.Equal(sb.Get("sub/new.txt"), "another's")

	use(t, s, "read_file", object{"path": "to"}) // a symlink's spelling is the same file
	r = use(t, s, "edit_file", object{"path": "../workspace/a.txt", "old_string": "\ttwo", "new_string": "2\n2"})
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

// Calls that change one path wait for each other, whatever they call it; others do not.
func TestSerialised(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{"a": "0", "b": "0", "to -> a": ""})
	s := newSet(t, sb, nil)
	for _, name := range []string{"a", "b"} {
		use(t, s, "read_file", object{"path": name})
	}
	var inA, most atomic.Int32
	meet := make(chan struct{}) // closed when both paths are being changed
	var both sync.WaitGroup
	both.Add(2)
	var once [2]sync.Once
	go func() { both.Wait(); close(meet) }()
	sb.OnEdit = func(name string) {
		i := 0
		if name == "/workspace/a" {
			if n := inA.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer inA.Add(-1)
			i = 1
		}
		once[i].Do(both.Done)
		select {
		case <-meet:
		case <-time.After(10 * time.Second):
		}
	}
	var all sync.WaitGroup
	var failures atomic.Int32
	for _, name := range []string{"a", "to", "../workspace/a", "./a", "b"} {
		all.Go(func() {
			if use(t, s, "write_file", object{"path": name, "content": name}).IsError {
				failures.Add(1)
			}
		})
	}
	all.Wait()
	is.Equal(most.Load(), int32(1))
	is.Equal(failures.Load(), int32(0))
	select {
	case <-meet:
	default:
		t.Error("a and b were not changed at the same time")
	}
	is.Equal(len(s.locks), 0) // nothing is kept

	// Waiting ends with the context.
	unlock, err := s.lock(context.Background(), "/x")
	is.NoErr(err)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
	_, err = s.lock(ctx, "/x")
	is.Equal(err, cause)
	unlock()
	is.Equal(len(s.locks), 0)
}

func TestGlob(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{
		"a.go": "", "sub/b.go": "", "sub/deep/c.go": "", ".hid/d.go": "", "/etc/conf": "", "-x.go": "", "dir -> sub": "",
	})
	s := newSet(t, sb, nil)
	is.Equal(use(t, s, "glob", object{"pattern": "*.go"}).Text, "a.go\n-x.go")
	is.Equal(use(t, s, "glob", object{"pattern": "-*.go"}).Text, "-x.go")
	is.Equal(use(t, s, "glob", object{"pattern": "**/*.go"}).Text, "sub/deep/c.go\nsub/b.go\na.go\n-x.go")
	is.Equal(use(t, s, "glob", object{"pattern": "**/*.go", "limit": 2}).Text, "sub/deep/c.go\nsub/b.go\n[more than these 2 match: narrow the pattern or the path, or raise limit]")
	is.Equal(use(t, s, "glob", object{"pattern": "*", "path": "sub"}).Text, "sub/b.go\nsub/deep/")
	is.Equal(use(t, s, "glob", object{"pattern": "dir/../sub/*.go"}).Text, "sub/b.go")
	is.Equal(use(t, s, "glob", object{"pattern": "/etc/*"}).Text, "/etc/conf")
	is.Equal(use(t, s, "glob", object{"pattern": "../etc/*", "path": "sub/.."}).Text, "/etc/conf")
	is.Equal(use(t, s, "glob", object{"pattern": "**/*.go", "hidden": true, "path": ".hid"}).Text, ".hid/d.go")
	r := use(t, s, "glob", object{"pattern": "-rf"})
	is.Equal(r.Text, "no file matches -rf in /workspace: use **/-rf to look in the directories below, too")
	is.True(!r.IsError)
	is.Equal(string(use(t, s, "glob", object{"pattern": "*.rs"}).JSON), `{"paths":[],"more":false}`)
}

func TestGrep(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{
		"a.go": "package a\nvar X = 1\nvar y = 2\n\n\n// var\n", "b.ts": "var z\n", "bin": "var\x00", ".hid": "var\n",
	})
	s := newSet(t, sb, nil)
	is.Equal(use(t, s, "grep", object{"pattern": "^var"}).Text, "a.go:2:var X = 1\na.go:3:var y = 2\nb.ts:1:var z")
	is.Equal(use(t, s, "grep", object{"pattern": "X|//", "before": 1}).Text, "a.go-1-package a\na.go:2:var X = 1\n--\na.go-5-\na.go:6:// var")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "output_mode": "files_with_matches"}).Text, "a.go\nb.ts")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "output_mode": "count", "include": "*.{go,rs}"}).Text, "a.go:3")
	is.Equal(use(t, s, "grep", object{"pattern": "VAR Z", "ignore_case": true}).Text, "b.ts:1:var z")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "path": "b.ts"}).Text, "b.ts:1:var z")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "limit": 1}).Text, "a.go:2:var X = 1\n[there are more matches: narrow the pattern, the path or include, or use output_mode files_with_matches or count]")
	is.Equal(use(t, s, "grep", object{"pattern": "nothing"}).Text, "no match in /workspace; ignore_case may find more; files whose names begin with a dot were not searched")
	is.True(!use(t, s, "grep", object{"pattern": "nothing"}).IsError)
	r := use(t, s, "grep", object{"pattern": "^var", "path": "b.ts"})
	is.Equal(string(r.JSON), `{"mode":"content","matches":[{"path":"b.ts","line":1,"text":"var z","match":true}],"more":false}`)
}

func TestExecute(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, &Options{Permissions: Permissive(), Dir: "/tmp", Env: []string{"A=1"}, Timeout: 30 * time.Second})
	var got *sandbox.Command
	play := func(text string, r sandbox.Result) {
		sb.Run = func(_ context.Context, c *sandbox.Command) (*sandbox.Result, error) {
			got = c
			fmt.Fprint(c.Stdout, text)
			return &r, nil
		}
	}
	for _, test := range []struct {
		name   string
		output string
		result sandbox.Result
		want   string
	}{
		{"silent", "", sandbox.Result{Outcome: sandbox.Exited}, "(no output)"},
		{"output", "a\nb\n", sandbox.Result{Outcome: sandbox.Exited}, "a\nb"},
		{"exit code", "no\n", sandbox.Result{Outcome: sandbox.Exited, ExitCode: 1}, "no\n[exit code 1]"},
		{"not found", "", sandbox.Result{Outcome: sandbox.Exited, ExitCode: 127}, "(no output)\n[exit code 127: a program was not found]"},
		{"signal", "", sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGSEGV"}, "(no output)\n[killed by SIGSEGV]"},
		{"killed", "", sandbox.Result{Outcome: sandbox.Signaled, ExitCode: -1, Signal: "SIGKILL"}, "(no output)\n[killed by SIGKILL, perhaps because memory ran out]"},
		{"timeout", "so far", sandbox.Result{Outcome: sandbox.TimedOut, ExitCode: -1}, "so far\n[timed out after 30 s and was killed: run it in the background with start_job, or raise timeout_seconds up to 600]"},
		{"escapes", "\x1b[31mred\x1b[0m\x1b]0;title\x07 \x9b\r\n\xff", sandbox.Result{Outcome: sandbox.Exited}, "red \uFFFD\n\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			play(test.output, test.result)
			r := use(t, s, "execute", object{"command": "x"})
			is.Equal(r.Text, test.want)
			is.Equal(r.IsError, !test.result.OK())
		})
	}
	is.Equal(got.Args, []string{"/bin/sh", "-c", "x"})
	is.Equal(got.Dir, "/tmp")
	is.Equal(got.Env, []string{"A=1"})
	is.Equal(got.Timeout, 30*time.Second)

	play("BEGIN"+strings.Repeat("é", 100_000)+"END", sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3})
	r := use(t, s, "execute", object{"command": "x", "timeout_seconds": 600})
	is.Equal(got.Timeout, 10*time.Minute)
	is.True(len(r.Text) <= DefaultMaxOutput)
	is.True(strings.HasPrefix(r.Text, "BEGINéé"))
	is.True(strings.HasSuffix(r.Text, "éEND\n[170410 bytes of output were dropped in the middle: write it to a file and use read_file, or search that, or let the command print less]\n[exit code 3]"))
	is.True(!strings.Contains(r.Text, "\uFFFD")) // no character is cut in two

	play(strings.Repeat("\xff", 100_000), sandbox.Result{Outcome: sandbox.Exited, ExitCode: 3})
	r = use(t, s, "execute", object{"command": "x"})
	is.True(len(r.Text) <= DefaultMaxOutput && strings.HasSuffix(r.Text, "[exit code 3]"))
}

// The pieces in which output comes make no difference.
func TestHeadTail(t *testing.T) {
	is := is.New(t)
	text := strings.Repeat("0123456789", 50)
	for _, size := range []int{1, 7, 33, 100, 499, 500} {
		h := &headTail{limit: 100}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			_, _ = h.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		is.Equal(h.String(), text[:50]+"\n[... 400 bytes dropped ...]\n"+text[450:])
	}
}

// What is wrong with the sandbox or the context is no matter for the model.
func TestErrors(t *testing.T) {
	calls := []struct{ tool, args string }{
		{"ls", `{}`}, {"read_file", `{"path":"a"}`}, {"write_file", `{"path":"a","content":""}`},
		{"edit_file", `{"path":"a","old_string":"x","new_string":"y"}`}, {"glob", `{"pattern":"*"}`},
		{"grep", `{"pattern":"x"}`}, {"execute", `{"command":"x"}`}, {"start_job", `{"command":"x"}`}, {"job_output", `{"id":1}`},
		{"list_jobs", `{}`}, {"stop_job", `{"id":1}`}, {"python", `{"code":"1"}`},
	}
	cause := errors.New("the user left")
	canceled, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	for _, call := range calls {
		t.Run(call.tool, func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(map[string]string{"a": "x"})
			s := newSet(t, sb, nil)
			use(t, s, "read_file", `{"path":"a"}`)
			for _, lost := range []error{sandbox.ErrLost, sandbox.ErrClosed} {
				sb.Err = &sandbox.Error{Op: "read", Err: lost}
				r, err := s.Call(context.Background(), call.tool, json.RawMessage(call.args))
				is.True(errors.Is(err, lost))
				is.True(r == nil)
			}
			sb.Err = nil
			_, err := s.Call(canceled, call.tool, json.RawMessage(call.args))
			is.Equal(err, cause)
		})
	}
	is := is.New(t)
	_, err := Tool{Name: "x"}.Call(context.Background(), nil)
	is.True(err != nil)
}

func TestOptions(t *testing.T) {
	for name, opts := range map[string]*Options{
		"negative timeout":    {Timeout: -1},
		"too short a limit":   {MaxTimeout: time.Millisecond},
		"too small an output": {MaxOutput: 10},
		"environment":         {Env: []string{"=x"}},
		"NUL":                 {Env: []string{"A=\x00"}},
		"unknown operation":   {Permissions: &Permissions{Rules: []Rule{{Operation: "fly", Action: Deny}}}},
		"unknown action":      {Permissions: &Permissions{Rules: []Rule{{Operation: OpRead, Action: "no"}}}},
		"no action":           {Permissions: &Permissions{Rules: []Rule{{Operation: OpRead}}}},
		"pattern":             {Permissions: &Permissions{Rules: []Rule{{Pattern: "[a", Action: Deny}}}},
		"brace":               {Permissions: &Permissions{Rules: []Rule{{Pattern: "{a", Action: Deny}}}},
		"upward":              {Permissions: &Permissions{Rules: []Rule{{Pattern: "../x", Action: Deny}}}},
		"default operation":   {Permissions: &Permissions{Defaults: map[Operation]Action{OpAny: Deny}}},
		"default action":      {Permissions: &Permissions{Default: "never"}},
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

// What a call costs apart from the sandbox.
func BenchmarkCall(b *testing.B) {
	s := newSet(b, NewFake(map[string]string{"a": "x\n"}), nil)
	args := json.RawMessage(`{"path":"a"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Call(context.Background(), "read_file", args); err != nil {
			b.Fatal(err)
		}
	}
}
