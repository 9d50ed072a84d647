package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// options are those of the examples: a small image, on the engine that is tested. A
// program of yours needs neither to name the engine nor an image.
func options() *sandbox.Options {
	return &sandbox.Options{
		Image:  "localhost/drydock/busybox:1",
		Engine: engine.Docker(&dockercli.Client{Path: os.Getenv("DRYDOCK_TEST_ENGINE")}),
	}
}

func ExampleOpen() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	result, err := sb.Exec(ctx, "whoami; echo oops >&2; exit 3")
	if err != nil {
		log.Fatal(err) // the sandbox failed, not the command
	}
	fmt.Printf("%s %d %q %q\n", result.Outcome, result.ExitCode, result.Stdout, result.Stderr)
	// Output: exited 3 "sandbox\n" "oops\n"
}

func ExampleSandbox_Command() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	cmd := sb.Command("sh", "-c", "echo $GREETING; sleep 60")
	cmd.Env = []string{"GREETING=hello"}
	cmd.Stdout = os.Stdout // as it comes
	cmd.Timeout = 200 * time.Millisecond
	result, err := cmd.Run(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, result.Rung, result.Signal)
	// Output:
	// hello
	// timed_out term SIGTERM
}

func ExampleSandbox_WriteFile() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	written, err := sb.WriteFile(ctx, "notes/today.txt", []byte("one\ntwo\n"), nil)
	if err != nil {
		log.Fatal(err)
	}
	data, err := sb.ReadFile(ctx, "notes/today.txt", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("created %t, %q\n", written.Created, data)
	entries, err := sb.ReadDir(ctx, "notes")
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range entries {
		fmt.Println(entry.Name(), entry.Size(), entry.Mode())
	}
	// Output:
	// created true, "one\ntwo\n"
	// today.txt 8 -rw-r--r--
}

func ExampleSandbox_Edit() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.WriteFile(ctx, "a.txt", []byte("red\ngreen\nred\n"), nil); err != nil {
		log.Fatal(err)
	}
	_, err = sb.Edit(ctx, "a.txt", "red", "blue", nil)
	fmt.Println(errors.Is(err, sandbox.ErrManyMatches), err)
	edited, err := sb.Edit(ctx, "a.txt", "red", "blue", &sandbox.EditOptions{All: true})
	if err != nil {
		log.Fatal(err)
	}
	lines, err := sb.ReadLines(ctx, "a.txt", &sandbox.LineOptions{First: 2, Count: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d edits, lines %d to %d of %d: %q\n", edited.Count, lines.First, lines.First+lines.Count-1, lines.Total, lines.Text)
	// Output:
	// true edit a.txt: the text to replace is 2 times in /workspace/a.txt (line 1, 3): give more of the text around the one that is meant, or replace all
	// 2 edits, lines 2 to 3 of 3: "green\nblue\n"
}

func ExampleSandbox_Grep() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	for name, text := range map[string]string{"main.go": "package main\n", "sub/a.go": "package sub\n", "sub/a.txt": "package\n"} {
		if _, err := sb.WriteFile(ctx, name, []byte(text), nil); err != nil {
			log.Fatal(err)
		}
	}
	files, err := sb.Glob(ctx, "**/*.{go,md}", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, match := range files.Matches {
		fmt.Println(match.Path)
	}
	found, err := sb.Grep(ctx, `package (s\w+)`, &sandbox.GrepOptions{Include: []string{"*.go"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range found.Lines {
		fmt.Printf("%s:%d: %s\n", line.Path, line.Number, line.Text)
	}
	// Output:
	// main.go
	// sub/a.go
	// sub/a.go:1: package sub
}

func ExampleSandbox_Close() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	if err := sb.Close(); err != nil {
		log.Fatal(err)
	}
	_, err = sb.Exec(ctx, "true")
	fmt.Println(errors.Is(err, sandbox.ErrClosed))
	// Output: true
}

func ExampleAdopt() {
	ctx := context.Background()
	opts := options()
	opts.Name, opts.Lease = fmt.Sprintf("drydock-example-%d", os.Getpid()), time.Minute
	sb, err := sandbox.Open(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sb.WriteFile(ctx, "note", []byte("still here"), nil); err != nil {
		log.Fatal(err)
	}
	// This process may end now, also by kill -9. Another finds the sandbox by its name.
	if err := sb.Detach(); err != nil {
		log.Fatal(err)
	}
	again, err := sandbox.Adopt(ctx, opts.Name, options())
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	note, err := again.ReadFile(ctx, "note", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(note))
	// Output: still here
}

func ExampleMount() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "data")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(dir+"/in.txt", []byte("from the host\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	opts := options()
	opts.Mounts = []sandbox.Mount{{Source: dir, Target: "/data", ReadOnly: true}}
	sb, err := sandbox.Open(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	result, err := sb.Exec(ctx, "cat /data/in.txt; touch /data/out.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%s", result.Stdout, result.Stderr)
	// Output:
	// from the host
	// touch: /data/out.txt: Read-only file system
}

func ExampleError() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	_, err = sb.ReadFile(ctx, "missing.txt", nil)
	if e, ok := errors.AsType[*sandbox.Error](err); ok {
		fmt.Println(e.Op, e.Name, e.Code, errors.Is(err, fs.ErrNotExist))
	}
	_, err = sandbox.Open(ctx, &sandbox.Options{Runtime: "pyhton-minimal"})
	fmt.Println(errors.Is(err, fs.ErrInvalid), errors.Is(err, drydock.ErrUnknownRuntime))
	// Output:
	// read missing.txt not_exist true
	// true true
}

func ExampleSandbox_Stats() {
	ctx := context.Background()
	opts := options()
	opts.Memory, opts.PIDs = 128<<20, 50
	sb, err := sandbox.Open(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	stats, err := sb.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.MemoryLimit>>20, "MiB,", stats.PIDsLimit, "processes, in use:", stats.Memory > 0, stats.PIDs > 0)
	// Output: 128 MiB, 82 processes, in use: true true
}

func ExampleSweep() {
	removed, err := sandbox.Sweep(context.Background(), options().Engine)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range removed {
		fmt.Println("removed", name) // left by a process that was killed while it started one
	}
	// Output:
}
