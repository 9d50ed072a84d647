package match

import (
	"bytes"
	"strings"
)

// IgnoreRules are the rules of one .gitignore: see gitignore(5).
type IgnoreRules []ignoreRule

// ignoreRule is one line of a .gitignore.
type ignoreRule struct {
	pattern string
	literal int  // how many bytes at the beginning are no wildcards
	negated bool // what it matches is not ignored
	dirOnly bool
	byName  bool // has no "/", so it is for names at any depth
	suffix  bool // is a * and no other wildcard
}

// Verdict is what the rules of a .gitignore say about a file.
type Verdict int

const (
	Undecided Verdict = iota // no rule matches
	Ignored
	Kept
)

// Judge finds the last rule that matches a file: its path below the directory of the
// .gitignore. It calls stop now and then, and returns the error of that.
func (rules IgnoreRules) Judge(path string, isDir bool, stop func() error) (Verdict, error) {
	const often = 1000 // rules
	name := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(rules) - 1; i >= 0; i-- {
		if r := &rules[i]; r.matches(name, path, isDir) {
			if r.negated {
				return Kept, nil
			}
			return Ignored, nil
		}
		if i%often == often-1 {
			if err := stop(); err != nil {
				return Undecided, err
			}
		}
	}
	return Undecided, nil
}

// ParseIgnore reads the lines of a .gitignore.
func ParseIgnore(text []byte) (rules IgnoreRules) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for line := range bytes.Lines(text) {
		line, _ = bytes.CutSuffix(line, []byte("\n"))
		line, _ = bytes.CutSuffix(line, []byte("\r"))
		line, _, _ = bytes.Cut(line, []byte{0})
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		r := ignoreRule{pattern: trimSpaces(string(line))}
		r.pattern, r.negated = strings.CutPrefix(r.pattern, "!")
		r.pattern, r.dirOnly = strings.CutSuffix(r.pattern, "/")
		r.byName = !strings.Contains(r.pattern, "/")
		r.pattern = strings.TrimPrefix(r.pattern, "/")
		if r.pattern == "" {
			continue // matches nothing
		}
		if r.literal = strings.IndexAny(r.pattern, wildcards); r.literal < 0 {
			r.literal = len(r.pattern)
		}
		r.suffix = r.pattern[0] == '*' && !strings.ContainsAny(r.pattern[1:], wildcards)
		rules = append(rules, r)
	}
	return rules
}

// trimSpaces cuts the spaces at the end of a line, except those after a backslash.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if line[i] == ' ' {
			continue
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

// matches reports whether the rule is about a file. path is the path from the directory that
// the rule is for, and name the last name of that.
func (r *ignoreRule) matches(name, path string, dir bool) bool {
	switch {
	case r.dirOnly && !dir:
		return false
	case r.byName && r.literal == len(r.pattern):
		return name == r.pattern
	case r.byName && r.suffix:
		return strings.HasSuffix(name, r.pattern[1:])
	case r.byName:
		return wildmatch(r.pattern, name, false)
	}
	rest, ok := strings.CutPrefix(path, r.pattern[:r.literal])
	if !ok || rest == "" && r.literal == len(r.pattern) {
		return ok
	}
	return wildmatch(r.pattern[r.literal:], rest, true)
}
