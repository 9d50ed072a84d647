package tools

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox"
)

const (
	// defaultLines is how many lines read_file shows unless the call says.
	defaultLines = 2000
	// maxLineLength bounds the characters of a line that are shown.
	maxLineLength = 2000
	// maxLine bounds the number of a line, and of lines.
	maxLine = 1_000_000_000
)

const (
	readNumbers = "Read a file. Text comes as numbered lines (number, tab, line)"
	readAnchors = "Read a file. Text comes as lines with anchors (number:hash, tab, line), by which hashline_edit " +
		"names them"
	readDescription = "; lines are cut after 2000 characters. PNG, JPEG, GIF and WebP images and PDF documents " +
		"come as such, whatever they are called. A file has to be read before it can be changed."
)

// filePath is the parameter of tools that read or change a file.
var filePath = param{name: "path", kind: "string", required: true, min: 1,
	about: "The file, absolute or relative to the work dir.", want: "the file's path"}

func readTool(o *Options) Tool {
	description := readNumbers + readDescription
	if o.HashLine {
		description = readAnchors + readDescription
	}
	return Tool{
		Name: "read_file", op: OpRead, ReadOnly: true, run: (*call).read, Description: description,
		params: []param{
			filePath,
			{name: "offset", kind: "integer", def: 1, min: 1, max: maxLine,
				about: "The first line to read, from 1.", want: "the number of a line"},
			{name: "limit", kind: "integer", def: defaultLines, min: 1, max: maxLine,
				about: "How many lines to read at most.", want: "the number of lines"},
		},
	}
}

func (c *call) read(ctx context.Context) (*Result, error) {
	name := c.args.str("path")
	real, err := c.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.permit(ctx, real); err != nil {
		return nil, err
	}
	head, err := c.sb.ReadFile(ctx, real, &sandbox.ReadOptions{Limit: sniffed})
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	if kind := sniff(head); kind != "" {
		return c.readMedia(ctx, name, real, kind)
	}
	// Much more than the output has room for, because long lines are cut afterwards.
	lines, err := c.sb.ReadLines(ctx, real, &sandbox.LineOptions{
		First: c.args.num("offset"), Count: c.args.num("limit"), MaxBytes: max(1<<20, 4*c.o.MaxOutput),
	})
	if err != nil {
		return nil, c.failure(ctx, name, err)
	}
	first, last := c.args.num("offset"), 0
	p := c.page()
	switch {
	case lines.Total == 0:
		p.WriteString("(empty file)\n")
	case first > lines.Total:
		return nil, stop("offset %d is past the end of %s, which has %s", first, show(name), plural(lines.Total, "line", "lines"))
	default:
		last = c.number(p, lines)
	}
	c.remember(real, lines.Hash)
	more := lines.Total > 0 && last < lines.Total
	if more || first > 1 {
		fmt.Fprintf(p, "[lines %d to %d of %d", first, last, lines.Total)
		if more {
			fmt.Fprintf(p, "; use read_file with offset %d to go on", last+1)
		}
		p.WriteString("]\n")
	}
	if bytes.Contains(lines.Text, []byte("\r\n")) {
		p.WriteString("[lines end in CRLF (\\r\\n), which is not shown]\n")
	}
	return &Result{Text: p.text(), JSON: structured(struct {
		Path  string `json:"path"`
		First int    `json:"first_line"`
		Last  int    `json:"last_line"`
		Total int    `json:"total_lines"`
		Size  int64  `json:"size"`
		Hash  string `json:"sha256"`
	}{clean(real), first, last, lines.Total, lines.Size, lines.Hash})}, nil
}

// number adds lines with their numbers or anchors to a page, and returns the number of the
// last one that there was room for.
func (c *call) number(p *page, lines *sandbox.Lines) (last int) {
	n := lines.First
	for line := range bytes.Lines(lines.Text) {
		line, ended := bytes.CutSuffix(line, []byte{'\n'})
		if !p.add(c.line(n, line, ended || !lines.Cut)) {
			break
		}
		last = n
		n++
	}
	return last
}

// line returns a line without its end as read_file shows it. One that is not whole was cut
// by LineOptions.MaxBytes, so that its hash is not known.
func (c *call) line(n int, line []byte, whole bool) string {
	label := fmt.Sprintf("%6d", n)
	if c.o.HashLine {
		hash := "????"
		if whole {
			hash = lineHash(line)
		}
		label += ":" + hash
	}
	text := clean(string(bytes.TrimSuffix(line, []byte{'\r'})))
	if count := utf8.RuneCountInString(text); count > maxLineLength || !whole {
		runes := 0
		for i := range text {
			if runes++; runes > maxLineLength {
				text = text[:i]
				break
			}
		}
		more := fmt.Sprintf("%d more characters", max(count-maxLineLength, 0))
		if !whole {
			more = "more than can be read at once"
		}
		text += fmt.Sprintf("... [line cut: %s%s]", more, c.hint("execute", "; use a command such as cut -c with execute"))
	}
	return label + "\t" + text
}
