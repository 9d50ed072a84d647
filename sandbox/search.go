package sandbox

import (
	"bytes"
	"cmp"
	"context"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// DefaultMatches is the default of GlobOptions.Limit and GrepOptions.Limit.
const DefaultMatches = 10_000

// GlobOptions say where and how Glob searches; nil is all defaults.
type GlobOptions struct {
	// Dir is where the pattern starts. Default: the work dir.
	Dir string
	// Hidden lets wildcards match names that begin with a dot. Default: they do not.
	Hidden bool
	// GitIgnore leaves out the files that git ignores: see GrepOptions.GitIgnore.
	GitIgnore bool
	// Newest orders by modification time, newest first. Default: by path.
	Newest bool
	// Limit is the maximum number of matches. A result of more than 64 MiB is ErrTooLarge,
	// whatever the Limit. Default: DefaultMatches.
	Limit int
}

// Match is a file that Glob found.
type Match struct {
	// Path is the path of the file, for other methods of the sandbox. It begins with
	// GlobOptions.Dir if that is set and the pattern is not absolute.
	Path string
	FileInfo
}

// GlobResult is what Glob found.
type GlobResult struct {
	Matches []Match
	// More is set if there are more matches than Limit.
	More bool
	// Errors is the number of directories that could not be read.
	Errors int
}

// Glob finds files by a pattern. * and ? match within a name, ** matches any number of
// directories, [a-z] and [!a-z] are classes, {a,b} are alternatives, and a backslash quotes the
// next character. A pattern without "/" searches Dir only, without the directories in it. A
// pattern that ends in "/" finds directories only. Glob follows a symlink to a directory only
// if the pattern names the symlink without wildcards.
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

// GrepOptions say where and how Grep searches; nil is all defaults.
type GrepOptions struct {
	// Path is a file or a directory to search. Default: the work dir.
	Path string
	// Include is a list of globs. A file is searched if one of them matches its name or, for
	// a glob with a "/", its path below Path. Default: all files.
	Include []string
	// IgnoreCase matches letters of either case.
	IgnoreCase bool
	// Multiline lets "." match the end of a line, and patterns span lines. Files of more than
	// 16 MiB, or of a 64th of the sandbox's memory if that is less, are not searched and count
	// in Errors.
	Multiline bool
	// Before and After are how many lines of context to return with each match, at most
	// 1,000. Before may be less in a sandbox of less than 128 MiB. Default: none.
	Before, After int
	// Hidden also searches files and directories whose names begin with a dot.
	Hidden bool
	// GitIgnore leaves out the files that git ignores, by the rules of gitignore(5), and
	// everything named ".git". It reads the .gitignore of each directory from the top of the
	// repository down, and the repository's info/exclude. Outside of a repository it reads
	// those from Path down. A repository below another has rules of its own. Path itself is
	// always searched. The user's own rules (core.excludesFile) are not read, and tracked
	// files that match a rule are left out as well. Rules of more than 256 KiB, or of a 1024th
	// of the sandbox's memory if that is less, and a .gitignore that is no regular file are
	// skipped and count in Errors.
	GitIgnore bool
	// FilesOnly returns each file with a match once, without its lines.
	FilesOnly bool
	// Count returns each file with a match once, with the number of its matching lines.
	Count bool
	// Limit is the maximum number of matching lines or, with FilesOnly or Count, of files.
	// Context lines do not count. A result of more than 64 MiB is ErrTooLarge, whatever the
	// Limit. Default: DefaultMatches.
	Limit int
}

// Line is a line that Grep found, or a line of context.
type Line struct {
	// Path is the path of the file, for other methods of the sandbox. It begins with
	// GrepOptions.Path if that is set.
	Path string
	// Number is the number of the line, from 1. It is 0 with FilesOnly and Count.
	Number int
	// Text is the line without its end, cut off after 2,000 bytes.
	Text []byte
	// Match is set on a matching line, and not on context.
	Match bool
	// Count is the number of matching lines of the file, with GrepOptions.Count.
	Count int
}

// GrepResult is what Grep found.
type GrepResult struct {
	Lines []Line
	// More is set if there are more matches than Limit.
	More bool
	// Errors is the number of files and directories that could not be read.
	Errors int
}

// Grep finds lines by a regular expression in the syntax of package regexp (RE2). The files are
// ordered by path, element by element. A line ends with "\n"; the pattern sees a "\r" before it,
// but Text does not have it. Grep skips binary files, which have a NUL byte in their first 8,000
// bytes, and does not follow symlinks. Lines of more than 4 MiB, or of a 64th of the sandbox's
// memory if that is less, are searched in pieces.
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
			path = string(l.Path) // the lines of a file share one string
		}
		result.Lines = append(result.Lines, Line{Path: path, Number: l.Number, Text: l.Text, Match: l.Match, Count: l.Count})
	}
	return result, nil
}
