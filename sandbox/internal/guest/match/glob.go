package match

import (
	"fmt"
	"strings"
)

// Glob is a compiled pattern for slash-separated paths. It is safe for concurrent use.
type Glob struct {
	alternatives []alternative
}

// alternative is one of the patterns that a pattern with braces stands for.
type alternative struct {
	rooted   bool // begins with a slash
	elements []element
}

// Compile compiles a pattern for whole paths. The package's doc has the syntax.
func Compile(pattern string) (*Glob, error) {
	g, err := compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return g, nil
}

func compile(pattern string) (*Glob, error) {
	if pattern == "" {
		return nil, fmt.Errorf("is empty; write * for all names, ** for all below")
	}
	texts, err := expand(pattern, 0)
	if err != nil {
		return nil, err
	}
	g := &Glob{}
	for _, text := range texts {
		a := alternative{rooted: strings.HasPrefix(text, "/")}
		for name := range strings.SplitSeq(text, "/") {
			e, err := compileElement(name)
			switch {
			case err != nil:
				return nil, err
			case name == "" || name == ".":
			case e.deep && len(a.elements) > 0 && a.elements[len(a.elements)-1].deep:
			default:
				a.elements = append(a.elements, e)
			}
		}
		if n := len(a.elements); n > 0 && strings.HasSuffix(text, "/") {
			a.elements[n-1].dir = true
		}
		g.alternatives = append(g.alternatives, a)
	}
	return g, nil
}

// Match reports whether the pattern matches a path. Wildcards match names that begin with a
// dot, too. An absolute path is matched by a pattern that begins with a slash, a relative one
// by a pattern that does not. Match cannot see whether a path is a directory, so a slash at
// the pattern's end makes no difference.
func (g *Glob) Match(name string) bool {
	for i := range g.alternatives {
		a := &g.alternatives[i]
		if a.rooted == strings.HasPrefix(name, "/") && matchElements(a.elements, name) {
			return true
		}
	}
	return false
}

// matchElements reports whether elements match a path. It goes back to the last ** alone: an
// earlier one would gain nothing.
func matchElements(elements []element, path string) bool {
	deep, begin := -1, ""
	for i, rest := 0, path; ; {
		if i < len(elements) && elements[i].deep {
			deep, begin = i, rest
			i++
			continue
		}
		name, after, more := cutElement(rest)
		switch {
		case i == len(elements) && !more:
			return true
		case i < len(elements) && more && elements[i].accepts(name, true):
			i, rest = i+1, after
			continue
		case deep < 0:
			return false
		}
		if _, begin, more = cutElement(begin); !more {
			return false
		}
		i, rest = deep+1, begin
	}
}

// cutElement returns the first name of a path and what follows it.
func cutElement(path string) (name, rest string, ok bool) {
	for path != "" {
		name, path, _ = strings.Cut(path, "/")
		if name != "" && name != "." {
			return name, path, true
		}
	}
	return "", "", false
}

// Filter is a set of patterns for relative paths. A pattern without a slash matches the last
// name of a path, at any depth; one with a slash matches the whole path.
type Filter []*Glob

// CompileFilter compiles the patterns of a Filter. A slash at the beginning of a pattern makes
// it one for the whole path and no more.
func CompileFilter(patterns ...string) (Filter, error) {
	var f Filter
	for _, pattern := range patterns {
		g, err := Compile(pattern)
		if err != nil {
			return nil, err
		}
		for i := range g.alternatives {
			a := &g.alternatives[i]
			a.rooted = false
			if !strings.Contains(pattern, "/") {
				a.elements = append([]element{{deep: true}}, a.elements...)
			}
		}
		f = append(f, g)
	}
	return f, nil
}

// Match reports whether one of the patterns matches a path.
func (f Filter) Match(name string) bool {
	for _, g := range f {
		if g.Match(name) {
			return true
		}
	}
	return false
}
