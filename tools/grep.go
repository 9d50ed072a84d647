package tools

import (
	"context"
	"fmt"
	"regexp"

	"github.com/drydock-go/drydock/sandbox"
)

const grepDescription = "Search files for a regular expression (RE2: no look-around, no back-references), in " +
	"order of their paths. Lines that match come as path:number:text, those around them as path-number-text. " +
	"Binary files are left out."

func grepTool() Tool {
	return Tool{
		Name: "grep", op: OpGrep, ReadOnly: true, run: (*call).grep, Description: grepDescription,
		params: []param{
			{name: "pattern", kind: "string", required: true, min: 1, max: 10_000,
				about: "The regular expression, for one line.", want: "a regular expression"},
			{name: "path", kind: "string", def: ".", min: 1,
				about: "The file or directory to search, absolute or relative to the work dir.", want: "the path of a file or a directory"},
			{name: "include", kind: "string", min: 1, max: 4096,
				about: "Only files whose names match this glob pattern, such as *.{ts,tsx}. " +
					"A pattern with a / in it is for their paths below path.",
				want: "a glob pattern such as *.go"},
			{name: "ignore_case", kind: "boolean", def: false, about: "Match letters of either case."},
			{name: "multiline", kind: "boolean", def: false, about: "Let . match line ends and the pattern span lines."},
			{name: "hidden", kind: "boolean", def: false, about: "Search files and directories whose names begin with a dot, too."},
			{name: "output_mode", kind: "string", def: modeContent, enum: []string{modeContent, modeFiles, modeCount},
				about: "content: the lines; files_with_matches: the paths; count: the paths with the number of lines that match."},
			{name: "before", kind: "integer", def: 0, min: 0, max: 100,
				about: "How many lines to show before each match.", want: "the number of lines"},
			{name: "after", kind: "integer", def: 0, min: 0, max: 100,
				about: "How many lines to show after each match.", want: "the number of lines"},
			{name: "limit", kind: "integer", def: 200, min: 1, max: 5000,
				about: "How many matches at most, or files if only those are shown.", want: "the number of matches"},
		},
	}
}

// The values of output_mode.
const (
	modeContent = "content"
	modeFiles   = "files_with_matches"
	modeCount   = "count"
)

// match is a line or a file in grep's JSON: {"mode": ..., "matches": [...], "more": false}.
type match struct {
	Path  string `json:"path"`
	Line  int    `json:"line,omitempty"`
	Text  string `json:"text,omitempty"`
	Match bool   `json:"match"` // false for a line around one
	Count int    `json:"count,omitempty"`
}

// line returns the match as a line of the result's text.
func (m *match) line(mode string) string {
	switch name := show(m.Path); {
	case mode == modeFiles:
		return name
	case mode == modeCount:
		return fmt.Sprintf("%s:%d", name, m.Count)
	case m.Match:
		return fmt.Sprintf("%s:%d:%s", name, m.Line, m.Text)
	default:
		return fmt.Sprintf("%s-%d-%s", name, m.Line, m.Text)
	}
}

func (c *call) grep(ctx context.Context) (*Result, error) {
	name, expression := c.args.str("path"), c.args.str("pattern")
	if _, err := regexp.Compile(expression); err != nil {
		return nil, badRegexp("pattern", err)
	}
	real, err := c.resolve(ctx, name)
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
	if c.policy.path(OpRead, workDir, real) == Deny {
		return nil, stop("permission denied: read of %s is not allowed here, and so neither is searching it", show(real))
	}
	f := c.newFilter(workDir, true)
	opts := c.grepOptions(real)
	opts.Limit = f.searchLimit(opts.Limit)
	found, err := c.sb.Grep(ctx, expression, opts)
	if err != nil {
		return nil, c.failureOfPattern(ctx, name, err)
	}
	p := c.page()
	matches, all, err := c.grepped(ctx, p, f, found.Lines)
	if err != nil {
		return nil, err
	}
	more := found.More || !all
	switch {
	case len(matches) == 0 && !more:
		fmt.Fprintf(p, "no match in %s", show(modelPath(workDir, real)))
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
	p.addUnreadable(found.Errors)
	return &Result{Text: p.text(), JSON: structured(struct {
		Mode    string  `json:"mode"`
		Matches []match `json:"matches"`
		More    bool    `json:"more"`
	}{c.args.str("output_mode"), matches, more})}, nil
}

func (c *call) grepOptions(real string) *sandbox.GrepOptions {
	mode := c.args.str("output_mode")
	opts := &sandbox.GrepOptions{
		Path: real, IgnoreCase: c.args.flag("ignore_case"), Multiline: c.args.flag("multiline"), Hidden: c.args.flag("hidden"),
		FilesOnly: mode == modeFiles, Count: mode == modeCount,
		Before: c.args.num("before"), After: c.args.num("after"), Limit: c.args.num("limit"),
	}
	if include := c.args.str("include"); include != "" {
		opts.Include = []string{include}
	}
	return opts
}

// grepped adds at most as many matches as the call wants to a page, with the lines around
// them, and returns both. all reports whether there was room for all that the filter does
// not hide.
func (c *call) grepped(ctx context.Context, p *page, f *filter, lines []sandbox.Line) (matches []match, all bool, err error) {
	mode, limit := c.args.str("output_mode"), c.args.num("limit")
	around := mode == modeContent && c.args.num("before")+c.args.num("after") > 0
	matches = []match{}
	hidden := map[string]bool{} // by path
	count := 0
	for _, l := range lines {
		hide, ok := hidden[l.Path]
		if !ok {
			// A symlink to a file is searched only if it is the path of the call, which is
			// real.
			if hide, err = f.hides(ctx, l.Path, false); err != nil {
				return nil, false, err
			}
			hidden[l.Path] = hide
		}
		if hide {
			continue
		}
		if l.Match {
			if count++; count > limit {
				return matches, false, nil
			}
		}
		m := match{Path: clean(modelPath(f.workDir, l.Path)), Line: l.Number, Text: clean(string(l.Text)), Match: l.Match, Count: l.Count}
		if around && len(matches) > 0 && !m.follows(&matches[len(matches)-1]) && !p.add("--") {
			return matches, false, nil
		}
		if !p.add(m.line(mode)) {
			return matches, false, nil
		}
		matches = append(matches, m)
	}
	return matches, true, nil
}

// follows reports whether a line is the one after another.
func (m *match) follows(before *match) bool {
	return m.Path == before.Path && m.Line == before.Line+1
}
