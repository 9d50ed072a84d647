package tools

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

func globTool() Tool {
	return Tool{
		Name: "glob", op: OpGlob, ReadOnly: true, run: (*call).glob,
		Description: "Find files and directories by a pattern, the newest first: * and ? stop at /, ** crosses directories, [a-z] and [!a-z] are classes, {a,b} alternatives, a backslash takes the next character as it is. **/*.go is all Go files, *.go those of the directory itself.",
		params: []param{
			{name: "pattern", kind: "string", about: "The pattern, relative to path, or absolute.", want: "a pattern such as **/*.go", required: true, min: 1, max: 4096},
			{name: "path", kind: "string", about: "The directory to start in, absolute or relative to the work dir.", want: "the directory's path", def: ".", min: 1},
			{name: "hidden", kind: "boolean", about: "Let wildcards match names that begin with a dot, too.", def: false},
			{name: "limit", kind: "integer", about: "How many paths at most.", want: "the number of paths", def: 100, min: 1, max: 5000},
		},
	}
}

// splitGlob cuts the directories without wildcards off a pattern, so that they can be
// resolved before the rules are asked.
func splitGlob(pattern string) (dir, rest string) {
	rest = pattern
	for {
		element, after, more := strings.Cut(rest, "/")
		if !more || strings.ContainsAny(element, `*?[]{},\`) {
			return dir, rest
		}
		dir, rest = dir+element+"/", strings.TrimLeft(after, "/")
	}
}

// isUpward reports whether a pattern has an element ".." in it, also one among braces.
func isUpward(pattern string) bool {
	return slices.Contains(strings.FieldsFunc(strings.ReplaceAll(pattern, `\`, ""), func(r rune) bool { return strings.ContainsRune("/{},", r) }), "..")
}

func (c *call) glob(ctx context.Context) (*Result, error) {
	pattern, name := c.args.str("pattern"), c.args.str("path")
	dir, rest := splitGlob(pattern)
	if path.IsAbs(dir) {
		name = dir
	} else if dir != "" {
		name += "/" + dir
	}
	switch {
	case rest == "" || rest == "." || rest == "..":
		return nil, stop("pattern %q names a directory: end it with a name or a wildcard, such as %s/*%s", pattern, strings.TrimRight(pattern, "/"), c.hint("ls", "; use ls to list one"))
	case isUpward(rest):
		return nil, stop("pattern %q has a .. after a wildcard: give the directory to start in as path", pattern)
	}
	real, err := c.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.permit(ctx, real); err != nil {
		return nil, err
	}
	work, err := c.workDir(ctx)
	if err != nil {
		return nil, err
	}
	limit := c.args.num("limit")
	filter := c.newFilter(work, false)
	opts := &sandbox.GlobOptions{Dir: real, Hidden: c.args.flag("hidden"), Newest: true, Limit: limit}
	if !filter.none {
		opts.Limit = max(limit, sandbox.DefaultMatches)
	}
	found, err := c.sb.Glob(ctx, rest, opts)
	if err != nil {
		return nil, c.failureOfPattern(ctx, name, err)
	}
	paths, more := []string{}, found.More
	p := c.pages()
	for _, m := range found.Matches {
		// A relative pattern gives relative paths, and one in braces may give absolute ones.
		at := m.Path
		if !path.IsAbs(at) {
			at = path.Join(real, at)
		}
		hidden, err := filter.hides(ctx, at, m.Mode()&fs.ModeSymlink != 0)
		if err != nil {
			return nil, err
		}
		if hidden {
			continue
		}
		line := clean(display(work, at))
		text := show(line)
		if m.IsDir() {
			text += "/"
		}
		if len(paths) == limit || !p.add(text) {
			more = true
			break
		}
		paths = append(paths, line)
	}
	if len(paths) == 0 {
		fmt.Fprintf(p, "no file matches %s in %s%s\n", show(rest), show(display(work, real)), deeper(rest))
	}
	if more {
		fmt.Fprintf(p, "[more than these %d match: narrow the pattern or the path, or raise limit]\n", len(paths))
	}
	unreadable(p, found.Errors)
	return &Result{Text: p.text(), JSON: structured(struct {
		Paths []string `json:"paths"`
		More  bool     `json:"more"`
	}{paths, more})}, nil
}

func deeper(pattern string) string {
	if strings.Contains(pattern, "**") {
		return ""
	}
	return fmt.Sprintf(": use **/%s to look in the directories below, too", show(pattern))
}
