package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

// mostEntries is how many entries of a directory ls shows.
const mostEntries = 1000

func lsTool() Tool {
	return Tool{
		Name: "ls", op: OpLs, ReadOnly: true, run: (*call).ls,
		Description: "List a directory: directories first, then files with their sizes in bytes, by name; symbolic links with what they lead to. Use glob to look through a tree.",
		params: []param{
			{name: "path", kind: "string", about: "The directory, absolute or relative to the work dir.", want: "the directory's path", def: ".", min: 1},
			{name: "hidden", kind: "boolean", about: "Show names that begin with a dot, too.", def: false},
		},
	}
}

// entry is one of ls's JSON: {"path": ..., "entries": [...], "more": 0}.
type entry struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // directory, file, symlink, other
	Size   int64  `json:"size"`
	Target string `json:"target,omitempty"`
}

func describe(f sandbox.FileInfo) entry {
	e := entry{Name: clean(f.Name()), Type: "other", Size: f.Size(), Target: clean(f.Target())}
	switch {
	case f.IsDir():
		e.Type = "directory"
	case f.Mode().IsRegular():
		e.Type = "file"
	case f.Mode()&fs.ModeSymlink != 0:
		e.Type = "symlink"
	}
	return e
}

func (e entry) String() string {
	switch name := show(e.Name); e.Type {
	case "directory":
		return name + "/"
	case "symlink":
		return name + " -> " + show(e.Target)
	case "file":
		return fmt.Sprintf("%s  %d", name, e.Size)
	default:
		return name + "  (device, FIFO or socket)"
	}
}

func (c *call) ls(ctx context.Context) (*Result, error) {
	name := c.args.str("path")
	real, err := c.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.permit(ctx, real); err != nil {
		return nil, err
	}
	files, err := c.sb.ReadDir(ctx, real)
	if e, ok := errors.AsType[*sandbox.Error](err); ok && e.Code == sandbox.CodeNotDir {
		return nil, stop("%s is a file, not a directory%s", show(name), c.hint("read_file", ": use read_file to read it"))
	}
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	slices.SortStableFunc(files, func(a, b sandbox.FileInfo) int {
		if a.IsDir() != b.IsDir() {
			if a.IsDir() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name(), b.Name())
	})
	hidden, left := 0, 0
	entries := []entry{}
	p := c.pages()
	for _, f := range files {
		if !c.args.flag("hidden") && strings.HasPrefix(f.Name(), ".") {
			hidden++
			continue
		}
		e := describe(f)
		if left > 0 || len(entries) == mostEntries || !p.add(e.String()) {
			left++
			continue
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		p.WriteString("(empty directory)\n")
	}
	if left > 0 {
		fmt.Fprintf(p, "[%s not shown%s]\n", plural(left, "more entry", "more entries"), c.hint("glob", ": use glob with a pattern such as a* and this path"))
	}
	if hidden > 0 {
		fmt.Fprintf(p, "[%s not shown: set hidden]\n", plural(hidden, "hidden entry", "hidden entries"))
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Path    string  `json:"path"`
		Entries []entry `json:"entries"`
		More    int     `json:"more"`
	}{clean(real), entries, left})}, nil
}
