package sandbox

import (
	"bytes"
	"cmp"
	"context"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// DefaultMatches is how many matches Glob and Grep return unless told otherwise.
const DefaultMatches = 10_000

// GlobOptions say where and how Glob looks.
type GlobOptions struct {
	// Dir is where the pattern starts. Default: the work dir.
	Dir string
	// Hidden lets wildcards match names that begin with a dot.
	Hidden bool
	// GitIgnore leaves out what git ignores: see GrepOptions.
	GitIgnore bool
	// Newest orders by modification time, newest first. Default: by path.
	Newest bool
	// Limit is how many matches at most. Default: DefaultMatches.
	Limit int
}

// Match is a file that Glob found.
type Match struct {
	// Path is the file's as other functions take it: it begins with GlobOptions.Dir, where
	// that is set and the pattern is not absolute.
	Path string
	FileInfo
}

// GlobResult is what Glob found.
type GlobResult struct {
	Matches []Match
	// More is set where Limit left matches out.
	More bool
	// Errors counts directories that could not be read.
	Errors int
}

// Glob finds files by a pattern: * and ? stop at "/", ** crosses any number of
// directories, [a-z] and [!a-z] are classes, {a,b} alternatives, and a backslash takes
// the next character as it is. A pattern without "/" is looked for in Dir alone, and one that
// ends in "/" finds directories alone.
// Directories that symlinks lead to are entered only where the pattern names them.
func (sb *Sandbox) Glob(ctx context.Context, pattern string, opts *GlobOptions) (*GlobResult, error) {
	o := orZero(opts)
	m := &wire.Glob{Pattern: []byte(pattern), Dir: []byte(o.Dir), Hidden: o.Hidden, GitIgnore: o.GitIgnore,
		Newest: o.Newest, Limit: cmp.Or(max(o.Limit, 0), DefaultMatches)}
	var r wire.Searched
	data, err := sb.collect(ctx, wire.OpGlob, m, maxListing, &r)
	if err != nil {
		return nil, sb.failure("glob", pattern, err)
	}
	result := &GlobResult{More: r.More, Errors: r.Errors}
	for records := wire.NewRecords(data); records.More(); {
		f, err := records.FileInfo()
		if err != nil {
			return nil, sb.failure("glob", pattern, err)
		}
		path := string(f.Name)
		f.Name = f.Name[bytes.LastIndexByte(f.Name, '/')+1:]
		result.Matches = append(result.Matches, Match{Path: path, FileInfo: FileInfo{f}})
	}
	return result, nil
}

// GrepOptions say where and how Grep looks.
type GrepOptions struct {
	// Path is a file or a directory to search through. Default: the work dir.
	Path string
	// Include are globs, one of which a file's name (or, with a "/" in it, its path
	// below Path) has to match. Default: all files.
	Include []string
	// IgnoreCase matches letters of either case.
	IgnoreCase bool
	// Multiline lets "." match a line's end, and patterns span lines. Files of more than
	// 16 MiB, or of a 64th of the sandbox's memory where that is less, count in Errors.
	Multiline bool
	// Before and After are how many lines of context to return with each match, at most
	// 1,000. Before is less in a sandbox of less than 128 MiB.
	Before, After int
	// Hidden searches files and directories whose names begin with a dot, too.
	Hidden bool
	// GitIgnore leaves out what git ignores, by the rules of gitignore(5): those of the
	// .gitignore in each directory from the top of the repository down, or from where the
	// search starts where that is in none, and of the repository's info/exclude; and what is
	// named ".git". A repository below goes by its own rules. What Path names is searched in
	// any case. Not looked at are the user's own rules (core.excludesFile) and whether git
	// tracks a file that a rule is about. Rules of more than 256 KiB, or of a 1024th of
	// the sandbox's memory where that is less, and a .gitignore that is no regular file are not
	// heeded and count in Errors.
	GitIgnore bool
	// FilesOnly returns each file with a match once, without its lines.
	FilesOnly bool
	// Count returns each file with a match once, with how many of its lines match.
	Count bool
	// Limit is how many lines (with FilesOnly and Count: files) at most, context not
	// counted. Default: DefaultMatches.
	Limit int
}

// Line is a line that Grep found, or one of its context.
type Line struct {
	// Path is the file's as other functions take it: it begins with GrepOptions.Path,
	// where that is set.
	Path string
	// Number is the line's, from 1; 0 with FilesOnly and Count.
	Number int
	// Text is the line without its end, cut after 2,000 bytes.
	Text []byte
	// Match is set on a line that matches, and not on context.
	Match bool
	// Count is how many lines of the file match, with GrepOptions.Count.
	Count int
}

// GrepResult is what Grep found.
type GrepResult struct {
	Lines []Line
	// More is set where Limit left matches out.
	More bool
	// Errors counts files and directories that could not be read.
	Errors int
}

// Grep finds lines by a regular expression in the syntax of package regexp (RE2), in
// files ordered by path, element by element. A line's end is "\n"; a "\r" before it is there to
// be matched, and not in Text. Binary files, which have a NUL byte in their first 8,000, are
// left out; directories and files that symlinks lead to are not searched. Lines of more than
// 4 MiB, or of a 64th of the sandbox's memory where that is less, are searched in pieces.
func (sb *Sandbox) Grep(ctx context.Context, pattern string, opts *GrepOptions) (*GrepResult, error) {
	const maxContext = 1000
	o := orZero(opts)
	m := &wire.Grep{Pattern: []byte(pattern), Path: []byte(o.Path), IgnoreCase: o.IgnoreCase, Multiline: o.Multiline,
		Before: min(max(o.Before, 0), maxContext), After: min(max(o.After, 0), maxContext),
		Hidden: o.Hidden, GitIgnore: o.GitIgnore, FilesOnly: o.FilesOnly, Count: o.Count,
		Limit: cmp.Or(max(o.Limit, 0), DefaultMatches)}
	for _, glob := range o.Include {
		m.Include = append(m.Include, []byte(glob))
	}
	var r wire.Searched
	data, err := sb.collect(ctx, wire.OpGrep, m, maxListing, &r)
	if err != nil {
		return nil, sb.failure("grep", pattern, err)
	}
	result := &GrepResult{More: r.More, Errors: r.Errors}
	path := ""
	for records := wire.NewRecords(data); records.More(); {
		l, err := records.GrepLine()
		if err != nil {
			return nil, sb.failure("grep", pattern, err)
		}
		if path != string(l.Path) {
			path = string(l.Path) // one for all lines of a file
		}
		result.Lines = append(result.Lines, Line{Path: path, Number: l.Number, Text: l.Text, Match: l.Match, Count: l.Count})
	}
	return result, nil
}
