package tools

import (
	"context"
	"fmt"
	"regexp"

	"github.com/drydock-go/drydock/sandbox"
)

func grepTool() Tool {
	return Tool{
		Name: "grep", op: OpGrep, ReadOnly: true, run: (*call).grep,
		Description: "Search files for a regular expression (RE2: no look-around, no back-references), in order of their paths. Lines that match come as path:number:text, those around them as path-number-text. Binary files are left out.",
		params: []param{
			{name: "pattern", kind: "string", about: "The regular expression, for one line.", want: "a regular expression", required: true, min: 1, max: 10_000},
			{name: "path", kind: "string", about: "The file or directory to search, absolute or relative to the work dir.", want: "the path of a file or a directory", def: ".", min: 1},
			{name: "include", kind: "string", about: "Only files whose names match this glob pattern, such as *.{ts,tsx}; with a / in it, whose paths below path do.", want: "a glob pattern such as *.go", min: 1, max: 4096},
			{name: "ignore_case", kind: "boolean", about: "Match letters of either case.", def: false},
			{name: "multiline", kind: "boolean", about: "Let . match line ends and the pattern span lines.", def: false},
			{name: "hidden", kind: "boolean", about: "Search files and directories whose names begin with a dot, too.", def: false},
			{name: "output_mode", kind: "string", about: "content: the lines; files_with_matches: the paths; count: the paths with the number of lines that match.", def: "content", enum: []string{"content", "files_with_matches", "count"}},
			{name: "before", kind: "integer", about: "How many lines to show before each match.", want: "the number of lines", def: 0, min: 0, max: 100},
			{name: "after", kind: "integer", about: "How many lines to show after each match.", want: "the number of lines", def: 0, min: 0, max: 100},
			{name: "limit", kind: "integer", about: "How many matches (files, where only those are shown) at most.", want: "the number of matches", def: 200, min: 1, max: 5000},
		},
	}
}

// match is one of grep's JSON: {"mode": ..., "matches": [...], "more": false}.
type match struct {
	Path  string `json:"path"`
	Line  int    `json:"line,omitempty"`
	Text  string `json:"text,omitempty"`
	Match bool   `json:"match"` // false on a line of context
	Count int    `json:"count,omitempty"`
}

func (c *call) grep(ctx context.Context) (*Result, error) {
	name, mode, limit := c.args.str("path"), c.args.str("output_mode"), c.args.num("limit")
	if _, err := regexp.Compile(c.args.str("pattern")); err != nil {
		return nil, badRegexp("pattern", err)
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
	if c.policy.path(OpRead, work, real) == Deny {
		return nil, stop("permission denied: read of %s is not allowed here, and so neither is to search it", show(real))
	}
	filter := c.newFilter(work, true)
	opts := &sandbox.GrepOptions{
		Path: real, IgnoreCase: c.args.flag("ignore_case"), Multiline: c.args.flag("multiline"), Hidden: c.args.flag("hidden"),
		FilesOnly: mode == "files_with_matches", Count: mode == "count",
		Before: c.args.num("before"), After: c.args.num("after"), Limit: limit,
	}
	if include := c.args.str("include"); include != "" {
		opts.Include = []string{include}
	}
	if !filter.none {
		opts.Limit = max(limit, sandbox.DefaultMatches)
	}
	found, err := c.sb.Grep(ctx, c.args.str("pattern"), opts)
	if err != nil {
		return nil, c.failureOfPattern(ctx, name, err)
	}
	matches, count, more := []match{}, 0, found.More
	hidden := map[string]bool{}
	p := c.pages()
	for _, l := range found.Lines {
		hide, ok := hidden[l.Path]
		if !ok {
			// A symlink to a file is searched only where it is Path itself, which is real.
			if hide, err = filter.hides(ctx, l.Path, false); err != nil {
				return nil, err
			}
			hidden[l.Path] = hide
		}
		if hide {
			continue
		}
		if l.Match {
			if count++; count > limit {
				more = true
				break
			}
		}
		m := match{Path: clean(display(work, l.Path)), Line: l.Number, Text: clean(string(l.Text)), Match: l.Match, Count: l.Count}
		separate := len(matches) > 0 && opts.Before+opts.After > 0 && mode == "content" &&
			(matches[len(matches)-1].Path != m.Path || matches[len(matches)-1].Line+1 != m.Line)
		if separate && !p.add("--") || !p.add(m.line(mode)) {
			more = true
			break
		}
		matches = append(matches, m)
	}
	switch {
	case len(matches) == 0 && !more:
		fmt.Fprintf(p, "no match in %s", show(display(work, real)))
		if !opts.IgnoreCase {
			p.WriteString("; ignore_case may find more")
		}
		if !opts.Hidden {
			p.WriteString("; files whose names begin with a dot were not searched")
		}
		p.WriteByte('\n')
	case more:
		p.WriteString("[there are more matches: narrow the pattern, the path or include, or use output_mode files_with_matches or count]\n")
	}
	unreadable(p, found.Errors)
	return &Result{Text: p.text(), JSON: structured(struct {
		Mode    string  `json:"mode"`
		Matches []match `json:"matches"`
		More    bool    `json:"more"`
	}{mode, matches, more})}, nil
}

func (m match) line(mode string) string {
	switch name := show(m.Path); {
	case mode == "files_with_matches":
		return name
	case mode == "count":
		return fmt.Sprintf("%s:%d", name, m.Count)
	case m.Match:
		return fmt.Sprintf("%s:%d:%s", name, m.Line, m.Text)
	default:
		return fmt.Sprintf("%s-%d-%s", name, m.Line, m.Text)
	}
}
