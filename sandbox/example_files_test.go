package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

func ExampleSandbox_MultiEdit() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.WriteFile(ctx, "main.go", []byte("package old\n\nvar x, y = 1, 1\n"), nil); err != nil {
		log.Fatal(err)
	}
	_, err = sb.MultiEdit(ctx, "main.go", []sandbox.Replacement{
		{Old: "package old", New: "package main"},
		{Old: "1", New: "2"}, // which of them?
	}, nil)
	fmt.Println(errors.Is(err, sandbox.ErrManyMatches))
	text, err := sb.ReadFile(ctx, "main.go", nil)
	fmt.Printf("%q %v\n", text, err)
	// Output:
	// true
	// "package old\n\nvar x, y = 1, 1\n" <nil>
}

func ExampleSandbox_FS() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.WriteFile(ctx, "docs/guide/intro.md", []byte("# Hello\n"), nil); err != nil {
		log.Fatal(err)
	}
	names, err := fs.Glob(sb.FS(ctx, "docs"), "*/*.md")
	fmt.Println(names, err)
	// Output: [guide/intro.md] <nil>
}

func ExampleSandbox_Walk() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	for _, name := range []string{"b", "a/x", "a/y/z"} {
		if _, err := sb.WriteFile(ctx, name, nil, nil); err != nil {
			log.Fatal(err)
		}
	}
	for m, err := range sb.Walk(ctx, ".", nil) {
		if err != nil {
			log.Fatal(err) // or go on without the unreadable directory
		}
		fmt.Print(m.Path, " ")
	}
	// Output: . ./a ./a/x ./a/y ./a/y/z ./b
}

func ExampleSandbox_Watch() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	w, err := sb.Watch(ctx, "", &sandbox.WatchOptions{Exclude: []string{"node_modules"}, Delay: 200 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	if _, err := sb.Exec(ctx, "echo 1 > new; echo 2 > new"); err != nil {
		log.Fatal(err)
	}
	changes, err := w.Next()
	fmt.Println(changes, err)
	// Output: [{new created false}] <nil>
}

func ExampleSandbox_Snapshot() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.Exec(ctx, "echo prepared > state"); err != nil {
		log.Fatal(err)
	}
	name := fmt.Sprintf("example-%d", os.Getpid())
	if err := sb.Snapshot(ctx, name); err != nil {
		log.Fatal(err)
	}
	defer sandbox.RemoveSnapshot(ctx, options().Engine, name)
	if _, err := sb.Exec(ctx, "rm state"); err != nil {
		log.Fatal(err)
	}
	opts := options()
	opts.Image, opts.Snapshot = "", name
	again, err := sandbox.Open(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	text, err := again.ReadFile(ctx, "state", nil)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// prepared
	// <nil>
}

func ExampleSandbox_Fork() {
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, options())
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.Exec(ctx, "echo common > base"); err != nil {
		log.Fatal(err)
	}
	forks, err := sb.Fork(ctx, 2)
	if err != nil {
		log.Fatal(err)
	}
	for i, fork := range forks {
		defer fork.Close()
		r, err := fork.Exec(ctx, fmt.Sprintf("echo way %d >> base; cat base", i+1))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q\n", r.Stdout)
	}
	// Output:
	// "common\nway 1\n"
	// "common\nway 2\n"
}
