package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// goSource opens a sandbox that shows a copy of the Go source tree at /src.
func goSource(b *testing.B) *sandbox.Sandbox {
	b.Helper()
	enginetest.Engine(b) // or skip, before there is a copy
	// A copy, because the tree is below /usr, which cannot be mounted.
	dir := b.TempDir()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(filepath.Join(strings.TrimSpace(string(root)), "src")))
	}
	if err != nil {
		b.Fatal(err)
	}
	return enginetest.Open(b, sandbox.Options{
		Image:  "localhost/drydock/debian:bookworm",
		Mounts: []sandbox.Mount{{Source: dir, Target: "/src", ReadOnly: true}},
	})
}

// BenchmarkGrep looks through the Go source tree, beside GNU grep and, where the image has
// it, ripgrep, which print the same lines.
func BenchmarkGrep(b *testing.B) {
	sb := goSource(b)
	ctx := context.Background()
	r, err := sb.Exec(ctx, "command -v rg")
	if err != nil {
		b.Fatal(err)
	}
	hasRipgrep := r.OK()
	for _, test := range []struct {
		name, pattern string
		opts          sandbox.GrepOptions
		flags         string
	}{
		{"rare", `TODO\(rsc\)`, sandbox.GrepOptions{}, ""},
		{"common", `func`, sandbox.GrepOptions{}, ""},
		{"method", `func \(.*\) String\(\)`, sandbox.GrepOptions{}, ""},
		{"ignore-case", `todo`, sandbox.GrepOptions{IgnoreCase: true}, "-i"},
		{"files", `func`, sandbox.GrepOptions{FilesOnly: true}, "-l"},
		{"alternatives", `(foo|bar).*baz`, sandbox.GrepOptions{}, ""},
		{"no-literal", `[A-Z]{3}_[0-9]+`, sandbox.GrepOptions{}, ""},
		{"words", `\w+Reader\b`, sandbox.GrepOptions{}, ""},
		{"none", `zzyzx`, sandbox.GrepOptions{}, ""},
		{"context", `ErrUnexpectedEOF`, sandbox.GrepOptions{Before: 2, After: 2}, "-C2"},
	} {
		b.Run(test.name, func(b *testing.B) {
			test.opts.Path, test.opts.Hidden, test.opts.Limit = "/src", true, 1<<30
			tool := func(name, flags string) *rival {
				return &rival{name: name, do: func() error {
					_, err := sb.Exec(ctx, fmt.Sprintf("%s %s %s '%s' /src", name, flags, test.flags, test.pattern))
					return err
				}}
			}
			rivals := []*rival{
				{name: "drydock", do: func() error { _, err := sb.Grep(ctx, test.pattern, &test.opts); return err }},
				tool("grep", "-rnE"),
			}
			if hasRipgrep {
				rivals = append(rivals, tool("rg", "-n --hidden --no-ignore"))
			}
			compare(b, rivals...)
		})
	}
}

// BenchmarkGlob lists the Go files of the Go source tree, beside find.
func BenchmarkGlob(b *testing.B) {
	sb := goSource(b)
	ctx := context.Background()
	for _, test := range []struct {
		name string
		opts sandbox.GlobOptions
	}{
		{"by-path", sandbox.GlobOptions{}},
		{"newest", sandbox.GlobOptions{Newest: true}},
	} {
		b.Run(test.name, func(b *testing.B) {
			test.opts.Dir, test.opts.Hidden, test.opts.Limit = "/src", true, 1<<30
			compare(b,
				&rival{name: "drydock", do: func() error { _, err := sb.Glob(ctx, "**/*.go", &test.opts); return err }},
				&rival{name: "find", do: func() error { _, err := sb.Exec(ctx, "find /src -name '*.go'"); return err }},
			)
		})
	}
}
