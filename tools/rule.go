package tools

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox"
)

// rule is a Rule, compiled.
type rule struct {
	Rule
	all bool // matches everything

	// For paths.
	path  *sandbox.Pattern // nil for OpExecute
	local bool             // path is relative to the work dir

	// For commands.
	words []*regexp.Regexp // of the pattern
	rest  bool             // any number of words may follow
	first string           // the pattern's first word
}

func compileRule(r Rule) (rule, error) {
	if r.Operation == "" {
		r.Operation = OpAny
	}
	c := rule{Rule: r}
	if r.Operation != OpAny && !slices.Contains(operations, r.Operation) {
		return c, fmt.Errorf("there is no operation %q: write one of %s, or %s for all", r.Operation, operationNames(), OpAny)
	}
	if r.Action.strictness() < 0 {
		return c, fmt.Errorf("action %q is none of allow, ask, deny", r.Action)
	}
	if c.all = slices.Contains([]string{"", "*", "**", "/**", "**/*"}, r.Pattern); c.all {
		return c, nil
	}
	if c.covers(OpExecute) {
		if err := c.compileWords(); err != nil {
			return c, err
		}
	}
	if r.Operation == OpExecute {
		return c, nil
	}
	return c, c.compilePath()
}

// compileWords compiles the pattern for commands.
func (r *rule) compileWords() error {
	if !utf8.ValidString(r.Pattern) {
		return fmt.Errorf("pattern %q does not compile: it is not valid UTF-8", r.Pattern)
	}
	fields := strings.Fields(r.Pattern)
	if len(fields) == 0 {
		return fmt.Errorf("pattern %q has no words: leave it out for all commands", r.Pattern)
	}
	r.first = fields[0]
	for i, field := range fields {
		if r.rest = i == len(fields)-1 && (field == "*" || field == "**"); r.rest {
			break
		}
		word := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(field))
		r.words = append(r.words, regexp.MustCompile(`(?s)\A`+word+`\z`))
	}
	return nil
}

// compilePath compiles the pattern for paths.
func (r *rule) compilePath() error {
	glob := strings.TrimRight(r.Pattern, "/")
	for element := range strings.SplitSeq(glob, "/") {
		if element == "." || element == ".." || element == "~" {
			return fmt.Errorf("pattern %q: there is no %q in a real path: write it absolute, or relative to the work dir", r.Pattern, element)
		}
	}
	switch {
	case strings.HasPrefix(glob, "/"):
	case strings.HasPrefix(glob, "**/"):
		glob = "/" + glob
	case strings.Contains(glob, "/"):
		r.local = true
	default:
		glob = "/**/" + glob
	}
	var err error
	if r.path, err = sandbox.CompilePattern(glob); err != nil {
		if e, ok := errors.AsType[*sandbox.Error](err); ok {
			err = e.Err // which does not name the pattern, that is not quite the rule's
		}
		return fmt.Errorf("pattern %q does not compile: %w", r.Pattern, err)
	}
	return nil
}

// covers reports whether the rule is for an operation.
func (r *rule) covers(op Operation) bool { return r.Operation == OpAny || r.Operation == op }

// matches reports whether the rule is for a real path.
func (r *rule) matches(workDir, real string) bool {
	if r.all {
		return true
	}
	// A rule that asks or denies is for all below the path that it matches.
	for name := real; ; name = path.Dir(name) {
		subject, ok := name, true
		if r.local {
			subject, ok = below(workDir, name)
			ok = ok && subject != ""
		}
		if ok && r.path.Match(subject) {
			return true
		}
		if r.Action == Allow || name == "/" {
			return false
		}
	}
}

// matchesCommand reports whether the rule is for a command. If it need not be sure, a word
// that may become what the pattern has matches as well, and so does a program in any
// directory.
func (r *rule) matchesCommand(words []word, sure bool) bool {
	if r.all {
		return true
	}
	for i, re := range r.words {
		if i == len(words) {
			return false
		}
		w := words[i]
		switch {
		case i == 0 && !sure && re.MatchString(path.Base(w.text)):
		case w.open:
			return !sure
		case !re.MatchString(w.text):
			return false
		}
	}
	if len(words) == len(r.words) || r.rest {
		return true
	}
	// Open words may become none.
	return !sure && !slices.ContainsFunc(words[len(r.words):], func(w word) bool { return !w.open })
}
