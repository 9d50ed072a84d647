package tools

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// policy is Permissions, compiled.
type policy struct {
	rules    []rule
	defaults map[Operation]Action
}

type rule struct {
	Rule
	all   bool     // matches everything
	path  *pattern // nil for OpExecute
	local bool     // path is matched below the work dir
	words []*regexp.Regexp
	rest  bool   // any further words
	first string // the pattern's first word
}

func compile(p *Permissions) (*policy, error) {
	c := &policy{defaults: map[Operation]Action{}}
	for _, op := range operations {
		c.defaults[op] = Ask
		if p.Default != "" {
			c.defaults[op] = p.Default
		}
	}
	for op, action := range p.Defaults {
		if !slices.Contains(operations, op) {
			return nil, fmt.Errorf("permissions: default of %q: there is no such operation", op)
		}
		c.defaults[op] = action
	}
	for op, action := range c.defaults {
		if action.strictness() < 0 {
			return nil, fmt.Errorf("permissions: default of %s: %q is none of allow, ask, deny", op, action)
		}
	}
	for i, r := range p.Rules {
		compiled, err := compileRule(r)
		if err != nil {
			return nil, fmt.Errorf("permissions: rule %d: %w", i+1, err)
		}
		c.rules = append(c.rules, compiled)
	}
	return c, nil
}

func compileRule(r Rule) (rule, error) {
	if r.Operation == "" {
		r.Operation = OpAny
	}
	c := rule{Rule: r}
	if r.Operation != OpAny && !slices.Contains(operations, r.Operation) {
		return c, fmt.Errorf("there is no operation %q", r.Operation)
	}
	if r.Action.strictness() < 0 {
		return c, fmt.Errorf("action %q is none of allow, ask, deny", r.Action)
	}
	if c.all = slices.Contains([]string{"", "*", "**", "/**", "**/*"}, r.Pattern); c.all {
		return c, nil
	}
	if r.Operation == OpExecute || r.Operation == OpAny {
		fields := strings.Fields(r.Pattern)
		if len(fields) == 0 {
			return c, fmt.Errorf("pattern %q has no words", r.Pattern)
		}
		c.first = fields[0]
		for i, field := range fields {
			if c.rest = i == len(fields)-1 && (field == "*" || field == "**"); c.rest {
				break
			}
			c.words = append(c.words, wordPattern(field))
		}
	}
	if r.Operation == OpExecute {
		return c, nil
	}
	pattern := strings.TrimRight(r.Pattern, "/")
	for _, element := range strings.Split(pattern, "/") {
		if element == "." || element == ".." || element == "~" {
			return c, fmt.Errorf("pattern %q: there is no %q in a real path: write it absolute, or relative to the work dir", r.Pattern, element)
		}
	}
	switch {
	case strings.HasPrefix(pattern, "/"):
	case strings.HasPrefix(pattern, "**/"):
		pattern = "/" + pattern
	case strings.Contains(pattern, "/"):
		c.local = true
	default:
		pattern = "/**/" + pattern
	}
	var err error
	if c.path, err = compilePattern(pattern); err != nil {
		return c, fmt.Errorf("pattern %q does not compile: %w", r.Pattern, err)
	}
	return c, nil
}

// wordPattern translates one word of a command's pattern.
func wordPattern(word string) *regexp.Regexp {
	text := regexp.QuoteMeta(word)
	text = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(text)
	return regexp.MustCompile(`(?s)\A` + text + `\z`)
}

func (r *rule) covers(op Operation) bool { return r.Operation == OpAny || r.Operation == op }

// matches reports whether the rule is for a real path.
func (r *rule) matches(work, real string) bool {
	if r.all {
		return true
	}
	for name := real; ; name = path.Dir(name) {
		subject, ok := name, true
		if r.local {
			subject, ok = below(work, name)
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

// path decides about an operation on a real path.
func (p *policy) path(op Operation, work, real string) Action {
	for i := range p.rules {
		if r := &p.rules[i]; r.covers(op) && r.matches(work, real) {
			return r.Action
		}
	}
	return p.defaults[op]
}

// actions returns what can be decided about an operation, without what comes after a rule
// that matches everything.
func (p *policy) actions(op Operation) []Action {
	var all []Action
	for i := range p.rules {
		if r := &p.rules[i]; r.covers(op) {
			all = append(all, r.Action)
			if r.all {
				return all
			}
		}
	}
	return append(all, p.defaults[op])
}

// uniform reports whether the decision about an operation is the same for everything.
func (p *policy) uniform(op Operation) (Action, bool) {
	all := p.actions(op)
	return all[0], len(slices.Compact(all)) == 1
}

// possible reports whether some call of an operation can be allowed.
func (p *policy) possible(op Operation, canAsk bool) bool {
	all := p.actions(op)
	return slices.Contains(all, Allow) || canAsk && slices.Contains(all, Ask)
}

// runsOthers are programs and builtins that run what their arguments say, so that a rule
// for the program inside does not see it; Python with -c is one of them, too. No list of
// them can be complete: other interpreters and build tools do the same.
var runsOthers = strings.Fields(`. ash awk bash builtin busybox chroot command dash doas env eval exec
	find flock ionice nice nohup nsenter parallel script setsid sh source ssh stdbuf su sudo taskset
	time timeout toybox trap unshare watch xargs zsh`)

// matchesCommand reports whether the rule is for a command: surely, or possibly, which is
// also where a word may become what the pattern says, and where the program is in some
// directory.
func (r *rule) matchesCommand(words []word, surely bool) bool {
	if r.all {
		return true
	}
	for i, re := range r.words {
		if i == len(words) {
			return false
		}
		w := words[i]
		switch {
		case i == 0 && !surely && re.MatchString(path.Base(w.text)):
		case w.open:
			return !surely
		case !re.MatchString(w.text):
			return false
		}
	}
	if len(words) == len(r.words) || r.rest {
		return true
	}
	// Further words may turn out to be none.
	return !surely && !slices.ContainsFunc(words[len(r.words):], func(w word) bool { return !w.open })
}

// simple decides about one program with its arguments, and returns the rule that did.
// What a rule denies possibly is denied, and what one asks about possibly is at least
// asked about; what one allows has to be so surely.
func (p *policy) simple(words []word) (Action, *rule) {
	least := Allow
	for i := range p.rules {
		r := &p.rules[i]
		switch {
		case !r.covers(OpExecute) || !r.matchesCommand(words, r.Action == Allow):
		case r.Action == Ask && !r.matchesCommand(words, true):
			least = Ask
		default:
			return stricter(least, r.Action), r
		}
	}
	return stricter(least, p.defaults[OpExecute]), nil
}

// unclear is what is decided about what the rules cannot judge.
func (p *policy) unclear() Action {
	if p.defaults[OpExecute] == Deny {
		return Deny
	}
	return Ask
}

// program decides as simple does, and sees that a rule which allows a program that runs
// others is really for it. reason says what could not be judged.
func (p *policy) program(words []word) (action Action, reason string) {
	action, by := p.simple(words)
	name := path.Base(words[0].text)
	others := slices.Contains(runsOthers, name) || isPython.MatchString(name) && slices.ContainsFunc(words[1:], isCode)
	if action == Allow && others && (by == nil || by.first != words[0].text) {
		return p.unclear(), "the rules cannot judge what " + name + " runs"
	}
	return action, ""
}

// Code that Python is given as an argument is judged as that of the python tool is.
var isPython = regexp.MustCompile(`^python[0-9.]*$`)

// isCode reports whether a word is an option that code follows, or may become one.
func isCode(w word) bool { return w.open || pythonCode.MatchString(w.text) }

var pythonCode = regexp.MustCompile(`^-[A-Za-z]*c`)

// python decides about code of the python tool, for which the rules are those for the
// command python3 -c CODE. What a rule asks or denies about python it does about this, too.
func (p *policy) python(code string) (action Action, reason string) {
	if action, ok := p.uniform(OpExecute); ok {
		return action, ""
	}
	words := []word{{text: "python3"}, {text: "-c"}, {text: code}}
	action, reason = p.program(words)
	words[0].text = "python"
	if other, by := p.simple(words); by != nil && stricter(action, other) != action {
		return other, ""
	}
	return action, reason
}

// possiblePython reports whether some code can be allowed to run.
func (p *policy) possiblePython(canAsk bool) bool {
	can := func(a Action) bool { return a == Allow || canAsk && a == Ask }
	if action, ok := p.uniform(OpExecute); ok {
		return can(action)
	}
	words := []word{{text: "python3"}, {text: "-c"}, {text: "CODE", open: true}}
	for i := range p.rules {
		r := &p.rules[i]
		if !r.covers(OpExecute) || !r.matchesCommand(words, false) {
			continue
		}
		action := r.Action
		if action == Allow && r.first != words[0].text {
			action = p.unclear()
		}
		if can(action) {
			return true
		}
		if r.matchesCommand(words, true) {
			return false // whatever the code is
		}
	}
	return can(stricter(p.defaults[OpExecute], p.unclear()))
}

// command decides about a shell command, apart from the files that it redirects to, which
// are returned for the rules of paths. reason says what could not be judged.
func (p *policy) command(text string) (action Action, redirects []redirect, reason string) {
	if action, ok := p.uniform(OpExecute); ok {
		return action, nil, ""
	}
	unclear := p.unclear()
	commands, err := parseCommand(text)
	if err != nil {
		return unclear, nil, "the rules cannot judge " + err.Error()
	}
	action = Allow
	moved := false
	for _, c := range commands {
		name := path.Base(c.words[0].text)
		decided, why := p.program(c.words)
		if why != "" {
			reason = why
		}
		for _, r := range c.redirects {
			if moved && !path.IsAbs(r.path) {
				decided, reason = stricter(decided, unclear), "the rules cannot judge a redirection to a relative path after cd"
			}
		}
		redirects = append(redirects, c.redirects...)
		moved = moved || slices.Contains([]string{"cd", "pushd", "popd"}, name)
		action = stricter(action, decided)
	}
	return action, redirects, reason
}
