package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

const editDescription = "Replace text in a file that was read before. old_string must be in it exactly once, " +
	"character for character and without line numbers, unless replace_all is set. The result shows the changed " +
	"part of the file."

func editTool() Tool {
	return Tool{
		Name: "edit_file", op: OpEdit, Destructive: true, run: (*call).edit, Description: editDescription,
		params: []param{
			filePath,
			{name: "old_string", kind: "string", required: true, min: 1, max: maxEdit, nul: true,
				about: "The text to replace, with enough lines around it to be unique.", want: "the text to replace"},
			{name: "new_string", kind: "string", required: true, max: maxEdit, nul: true,
				about: "The text to put in its place; empty removes it.", want: "the new text"},
			{name: "replace_all", kind: "boolean", def: false, about: "Replace every occurrence."},
		},
	}
}

func (c *call) edit(ctx context.Context) (*Result, error) {
	name, old, text := c.args.str("path"), c.args.str("old_string"), c.args.str("new_string")
	if old == text {
		return nil, stop("old_string and new_string are the same: nothing was changed")
	}
	real, unlock, err := c.target(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	known := c.known(real)
	if known == "" {
		if _, err := c.sb.Stat(ctx, real); err != nil {
			return nil, c.failure(ctx, name, err)
		}
		return nil, unread(show(name), "edit it")
	}
	r, err := c.sb.Edit(ctx, real, old, text, &sandbox.EditOptions{All: c.args.flag("replace_all"), IfHash: known})
	switch {
	case errors.Is(err, sandbox.ErrChanged):
		return nil, stale(show(name), "edit it")
	case errors.Is(err, sandbox.ErrNoMatch), errors.Is(err, sandbox.ErrManyMatches):
		return nil, c.noEdit(ctx, name, real, old)
	case err != nil:
		return nil, c.failure(ctx, name, err)
	}
	c.remember(real, r.Hash)
	p := c.page()
	fmt.Fprintf(p, "edited %s: %s%s\n", show(name), plural(r.Count, "replacement", "replacements"), inPlace(r.InPlace))
	// The changed part. The edit has succeeded even if it cannot be shown.
	first := max(1, r.Line-around)
	lines, err := c.sb.ReadLines(ctx, real, &sandbox.LineOptions{
		First: first, Count: r.Line - first + 1 + strings.Count(text, "\n") + around, MaxBytes: c.o.MaxOutput,
	})
	if err == nil && lines.Hash == r.Hash && c.readable(ctx, real) {
		c.number(p, lines)
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Path         string `json:"path"`
		Replacements int    `json:"replacements"`
		Line         int    `json:"line"`
		Hash         string `json:"sha256"`
	}{clean(real), r.Count, r.Line, r.Hash})}, nil
}

// noEdit is the error for an old_string that is not in a file exactly once. It says where to
// look.
func (c *call) noEdit(ctx context.Context, name, real, old string) error {
	data, err := c.sb.ReadFile(ctx, real, nil)
	if err != nil {
		return c.failure(ctx, name, err)
	}
	content := string(data)
	if !c.readable(ctx, real) {
		return stop("old_string is not in %s exactly once: nothing was changed", show(name))
	}
	if n := strings.Count(content, old); n > 0 {
		return stop("old_string is in %s %d times, at lines %s: nothing was changed; add lines around it until it is unique, or set replace_all",
			show(name), n, occurrences(content, old))
	}
	text := fmt.Sprintf("old_string is not in %s: nothing was changed", show(name))
	if strings.Contains(content, "\r\n") && strings.Contains(content, strings.ReplaceAll(old, "\n", "\r\n")) {
		return stop("%s; the lines of this file end in CRLF: write \\r\\n in old_string and new_string", text)
	}
	if n, lines := closest(content, old); n > 0 {
		return stop("%s; the closest is at line %d, as it is in the file:\n%s\ncopy it exactly, with its spaces and tabs",
			text, n, cutText(lines, 2000))
	}
	return stop("%s; read it again with read_file, and copy the text exactly", text)
}

// occurrences lists the numbers of the lines at which a text begins.
func occurrences(content, text string) string {
	const maxShown = 10
	var lines []string
	for line := 1; ; {
		before, after, found := strings.Cut(content, text)
		if !found {
			return strings.Join(lines, ", ")
		}
		if len(lines) == maxShown {
			return strings.Join(lines, ", ") + ", ..."
		}
		line += strings.Count(before, "\n")
		lines = append(lines, strconv.Itoa(line))
		line += strings.Count(text, "\n")
		content = after
	}
}

// closest returns the lines of content that differ from old in white space alone. If there
// are none it returns the first line that has the longest line of old in it, white space
// aside. number is 0 if there is no such line either.
func closest(content, old string) (number int, text string) {
	lines := strings.Split(content, "\n")
	squeezed, wanted := squeeze(lines), squeeze(strings.Split(strings.Trim(old, "\n"), "\n"))
	longest := slices.MaxFunc(wanted, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	if longest == "" {
		return 0, ""
	}
	for i := range len(lines) - len(wanted) + 1 {
		if slices.Equal(squeezed[i:i+len(wanted)], wanted) {
			return i + 1, strings.Join(lines[i:i+len(wanted)], "\n")
		}
	}
	for i, line := range squeezed {
		if strings.Contains(line, longest) {
			return i + 1, lines[i]
		}
	}
	return 0, ""
}

// squeeze returns lines with single spaces in place of their white space.
func squeeze(lines []string) []string {
	squeezed := make([]string, len(lines))
	for i, line := range lines {
		squeezed[i] = strings.Join(strings.Fields(line), " ")
	}
	return squeezed
}
