package sandbox

import (
	"errors"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
)

// Pattern is a compiled glob, in the syntax of Sandbox.Glob, for paths that the caller has. It
// is safe for concurrent use.
type Pattern struct{ glob *match.Glob }

// CompilePattern compiles a glob for whole slash-separated paths. A pattern that cannot be
// compiled is CodeInvalid.
func CompilePattern(pattern string) (*Pattern, error) {
	glob, err := match.Compile(pattern)
	if err != nil {
		// The pattern is named once.
		return nil, failure("pattern", pattern, invalid("%w", errors.Unwrap(err)))
	}
	return &Pattern{glob}, nil
}

// Match reports whether the pattern matches the whole path. Wildcards match names that begin
// with a dot. A pattern that begins with a slash matches absolute paths only, any other
// relative ones only.
func (p *Pattern) Match(path string) bool { return p.glob.Match(path) }
