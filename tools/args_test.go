package tools

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/matryer/is"
)

// Arguments that do not fit the schema are sentences, and the tool is not called.
func TestBadArguments(t *testing.T) {
	sb := NewFake(map[string]string{"a.txt": "one\n"})
	plainSet := newSet(t, sb, nil)
	hashSet := newSet(t, sb, &Options{Permissions: Permissive(), HashLine: true})
	for _, test := range []struct {
		name string
		set  *Set
		tool string
		args string
		want string
	}{
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
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r := use(t, test.set, test.tool, test.args)
			is.Equal(r.Text, test.want)
			is.True(r.IsError)
		})
	}
}

// A schema is an object that names every parameter, its default and its bounds, and nothing
// else.
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
