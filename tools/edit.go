package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

func editTool() Tool {
	return Tool{
		Name: "edit_file", op: OpEdit, Destructive: true, run: (*call).edit,
		Description: "Replace text in a file that was read before. old_string must be in it exactly once, character for character and without line numbers, or replace_all be set. What follows is the changed part of the file.",
		params: []param{
			{name: "path", kind: "string", about: "The file, absolute or relative to the work dir.", want: "the file's path", required: true, min: 1},
			{name: "old_string", kind: "string", about: "The text to replace, with enough lines around it to be unique.", want: "the text to replace", required: true, min: 1, max: maxEdit, nul: true},
			{name: "new_string", kind: "string", about: "The text to put in its place; empty removes it.", want: "the new text", required: true, max: maxEdit, nul: true},
			{name: "replace_all", kind: "boolean", about: "Replace every occurrence.", def: false},
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
		return nil, stop(unread, show(name), "edit it")
	}
	r, err := c.sb.Edit(ctx, real, old, text, &sandbox.EditOptions{All: c.args.flag("replace_all"), IfHash: known})
	switch {
	case errors.Is(err, sandbox.ErrChanged):
		return nil, stop(stale, show(name), "edit it")
	case errors.Is(err, sandbox.ErrNoMatch), errors.Is(err, sandbox.ErrManyMatches):
		return nil, c.noEdit(ctx, name, real, old)
	case err != nil:
		return nil, c.failure(ctx, name, err)
	}
	c.remember(real, r.Hash)
	p := c.pages()
	fmt.Fprintf(p, "edited %s: %s%s\n", show(name), plural(r.Count, "replacement", "replacements"), inPlace(r.InPlace))
	// What the file is like there now. That it is edited does not depend on it.
	const around = 3
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

// noEdit says why old_string could not be replaced, and where to look.
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
		const most = 10
		var at []string
		for from, line := 0, 1; len(at) < most; {
			i := strings.Index(content[from:], old)
			if i < 0 {
				break
			}
			line += strings.Count(content[from:from+i], "\n")
			at = append(at, fmt.Sprint(line))
			line += strings.Count(old, "\n")
			from += i + len(old)
		}
		if n > most {
			at = append(at, "...")
		}
		return stop("old_string is in %s %d times, at lines %s: nothing was changed; add lines around it until it is unique, or set replace_all", show(name), n, strings.Join(at, ", "))
	}
	text := fmt.Sprintf("old_string is not in %s: nothing was changed", show(name))
	if strings.Contains(content, "\r\n") && strings.Contains(content, strings.ReplaceAll(old, "\n", "\r\n")) {
		return stop("%s; the lines of this file end in CRLF: write \\r\\n in old_string and new_string", text)
	}
	if n, lines := closest(content, old); n > 0 {
		text += fmt.Sprintf("; the closest is at line %d, as it is in the file:\n%s\ncopy it exactly, with its spaces and tabs", n, cutText(lines, 2000))
		return stop("%s", text)
	}
	return stop("%s; read it again with read_file, and copy the text exactly", text)
}

// closest returns the lines of content that differ from old in white space alone, or, where
// there are none, the line that does from its longest line.
func closest(content, old string) (number int, text string) {
	lines, wanted := strings.Split(content, "\n"), strings.Split(strings.Trim(old, "\n"), "\n")
	squeeze := func(line string) string { return strings.Join(strings.Fields(line), " ") }
	for i := range wanted {
		wanted[i] = squeeze(wanted[i])
	}
	longest := ""
	for _, w := range wanted {
		if len(w) > len(longest) {
			longest = w
		}
	}
	if longest == "" {
		return 0, ""
	}
	squeezed := make([]string, len(lines))
	for i, line := range lines {
		squeezed[i] = squeeze(line)
	}
	for i := range squeezed {
		if i+len(wanted) > len(squeezed) {
			break
		}
		same := true
		for j := range wanted {
			if same = squeezed[i+j] == wanted[j]; !same {
				break
			}
		}
		if same {
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
