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

// maxEntries bounds the entries of a directory that ls shows.
const maxEntries = 1000

const lsDescription = "List a directory: directories first, then files with their sizes in bytes, by name; " +
	"symbolic links with what they lead to. Use glob to look through a tree."

func lsTool() Tool {
	return Tool{
		Name: "ls", op: OpLs, ReadOnly: true, run: (*call).ls, Description: lsDescription,
		params: []param{
			{name: "path", kind: "string", def: ".", min: 1,
				about: "The directory, absolute or relative to the work dir.", want: "the directory's path"},
			{name: "hidden", kind: "boolean", def: false, about: "Show names that begin with a dot, too."},
		},
	}
}

// entry is an entry in ls's JSON: {"path": ..., "entries": [...], "more": 0}.
type entry struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // directory, file, symlink, other
	Size   int64  `json:"size"`
	Target string `json:"target,omitempty"`
}

func entryOf(f sandbox.FileInfo) entry {
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

// String returns the entry as a line of the result's text.
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
		return cmp.Or(trueFirst(a.IsDir(), b.IsDir()), cmp.Compare(a.Name(), b.Name()))
	})
	hidden, more := 0, 0
	entries := []entry{}
	p := c.page()
	for _, f := range files {
		if !c.args.flag("hidden") && strings.HasPrefix(f.Name(), ".") {
			hidden++
			continue
		}
		e := entryOf(f)
		if more > 0 || len(entries) == maxEntries || !p.add(e.String()) {
			more++
			continue
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		p.WriteString("(empty directory)\n")
	}
	if more > 0 {
		fmt.Fprintf(p, "[%s not shown%s]\n", plural(more, "more entry", "more entries"),
			c.hint("glob", ": use glob with a pattern such as a* and this path"))
	}
	if hidden > 0 {
		fmt.Fprintf(p, "[%s not shown: set hidden]\n", plural(hidden, "hidden entry", "hidden entries"))
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Path    string  `json:"path"`
		Entries []entry `json:"entries"`
		More    int     `json:"more"`
	}{clean(real), entries, more})}, nil
}

// trueFirst compares two bools for a sort.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
