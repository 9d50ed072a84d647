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

const globDescription = "Find files and directories by a pattern, the newest first: * and ? stop at /, " +
	"** crosses directories, [a-z] and [!a-z] are classes, {a,b} alternatives, a backslash takes the next " +
	"character as it is. **/*.go is all Go files, *.go those of the directory itself."

func globTool() Tool {
	return Tool{
		Name: "glob", op: OpGlob, ReadOnly: true, run: (*call).glob, Description: globDescription,
		params: []param{
			{name: "pattern", kind: "string", required: true, min: 1, max: 4096,
				about: "The pattern, relative to path, or absolute.", want: "a pattern such as **/*.go"},
			{name: "path", kind: "string", def: ".", min: 1,
				about: "The directory to start in, absolute or relative to the work dir.", want: "the directory's path"},
			{name: "hidden", kind: "boolean", def: false,
				about: "Let wildcards match names that begin with a dot, too."},
			{name: "limit", kind: "integer", def: 100, min: 1, max: 5000,
				about: "How many paths at most.", want: "the number of paths"},
		},
	}
}

func (c *call) glob(ctx context.Context) (*Result, error) {
	dir, pattern, err := c.globPlace()
	if err != nil {
		return nil, err
	}
	real, err := c.resolve(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := c.permit(ctx, real); err != nil {
		return nil, err
	}
	workDir, err := c.realWorkDir(ctx)
	if err != nil {
		return nil, err
	}
	f := c.newFilter(workDir, false)
	found, err := c.sb.Glob(ctx, pattern, &sandbox.GlobOptions{
		Dir: real, Hidden: c.args.flag("hidden"), Newest: true, Limit: f.searchLimit(c.args.num("limit")),
	})
	if err != nil {
		return nil, c.failureOfPattern(ctx, dir, err)
	}
	p := c.page()
	paths, all, err := c.globbed(ctx, p, f, real, found.Matches)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		fmt.Fprintf(p, "no file matches %s in %s%s\n", show(pattern), show(modelPath(workDir, real)), deeper(pattern))
	}
	more := found.More || !all
	if more {
		fmt.Fprintf(p, "[more than these %d match: narrow the pattern or the path, or raise limit]\n", len(paths))
	}
	p.addUnreadable(found.Errors)
	return &Result{Text: p.text(), JSON: structured(struct {
		Paths []string `json:"paths"`
		More  bool     `json:"more"`
	}{paths, more})}, nil
}

// globPlace returns the directory that a call searches, which can be resolved before the
// rules are asked, and the pattern in it.
func (c *call) globPlace() (dir, pattern string, err error) {
	given, dir := c.args.str("pattern"), c.args.str("path")
	literal, pattern := splitGlob(given)
	if path.IsAbs(literal) {
		dir = literal
	} else if literal != "" {
		dir += "/" + literal
	}
	switch {
	case pattern == "" || pattern == "." || pattern == "..":
		return "", "", stop("pattern %q names a directory: end it with a name or a wildcard, such as %s/*%s",
			given, strings.TrimRight(given, "/"), c.hint("ls", "; use ls to list one"))
	case isUpward(pattern):
		return "", "", stop("pattern %q has a .. after a wildcard: give the directory to start in as path", given)
	}
	return dir, pattern, nil
}

// globbed adds at most as many matches as the call wants to a page and returns their paths. all reports
// whether there was room for all that the filter does not hide.
func (c *call) globbed(ctx context.Context, p *page, f *filter, dir string, matches []sandbox.Match) (paths []string, all bool, err error) {
	paths = []string{}
	limit := c.args.num("limit")
	for _, m := range matches {
		// Only an alternative in braces can make a match of a relative pattern absolute.
		name := m.Path
		if !path.IsAbs(name) {
			name = path.Join(dir, name)
		}
		hidden, err := f.hides(ctx, name, m.Mode()&fs.ModeSymlink != 0)
		if err != nil {
			return nil, false, err
		}
		if hidden {
			continue
		}
		shown := clean(modelPath(f.workDir, name))
		line := show(shown)
		if m.IsDir() {
			line += "/"
		}
		if len(paths) == limit || !p.add(line) {
			return paths, false, nil
		}
		paths = append(paths, shown)
	}
	return paths, true, nil
}

// splitGlob cuts the leading directories without wildcards off a pattern.
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

// isUpward reports whether an element of a pattern, or an alternative in braces, is "..".
func isUpward(pattern string) bool {
	separator := func(r rune) bool { return strings.ContainsRune("/{},", r) }
	return slices.Contains(strings.FieldsFunc(strings.ReplaceAll(pattern, `\`, ""), separator), "..")
}

// deeper recommends a pattern that matches in the directories below as well.
func deeper(pattern string) string {
	if strings.Contains(pattern, "**") {
		return ""
	}
	return fmt.Sprintf(": use **/%s to look in the directories below, too", show(pattern))
}
