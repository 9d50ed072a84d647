package tools

import (
	"cmp"
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

func compile(p *Permissions) (*policy, error) {
	c := &policy{defaults: map[Operation]Action{}}
	for _, op := range operations {
		c.defaults[op] = cmp.Or(p.Default, Ask)
	}
	for op, action := range p.Defaults {
		if !slices.Contains(operations, op) {
			return nil, fmt.Errorf("permissions: default of %q: there is no such operation: write one of %s", op, operationNames())
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

// path decides about an operation on a real path.
func (p *policy) path(op Operation, workDir, real string) Action {
	for i := range p.rules {
		if r := &p.rules[i]; r.covers(op) && r.matches(workDir, real) {
			return r.Action
		}
	}
	return p.defaults[op]
}

// actions returns the decisions that there can be about an operation, in the order of the
// rules. None comes after that of a rule which matches everything.
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

// uniform returns the decision about an operation, if it is the same for everything.
func (p *policy) uniform(op Operation) (action Action, ok bool) {
	all := p.actions(op)
	return all[0], len(slices.Compact(all)) == 1
}

// possible reports whether there are calls of an operation that can be allowed.
func (p *policy) possible(op Operation, canAsk bool) bool {
	all := p.actions(op)
	return slices.Contains(all, Allow) || canAsk && slices.Contains(all, Ask)
}

// simple decides about a program with its arguments, and returns the rule that did. A rule
// that allows decides if it surely matches, and one that denies if it possibly matches. One
// that asks decides if it surely matches; if it possibly does, a later rule decides, but
// what that allows is asked about.
func (p *policy) simple(words []word) (Action, *rule) {
	floor := Allow
	for i := range p.rules {
		r := &p.rules[i]
		switch {
		case !r.covers(OpExecute) || !r.matchesCommand(words, r.Action == Allow):
		case r.Action == Ask && !r.matchesCommand(words, true):
			floor = Ask
		default:
			return stricter(floor, r.Action), r
		}
	}
	return stricter(floor, p.defaults[OpExecute]), nil
}

// unclear returns the decision about commands that the rules cannot judge.
func (p *policy) unclear() Action {
	if p.defaults[OpExecute] == Deny {
		return Deny
	}
	return Ask
}

// runsOthers are programs and builtins that run another program which their arguments name,
// and which rules therefore do not see. Python with -c is one of them, too. No list of them
// can be complete: other interpreters and build tools do the same.
var runsOthers = strings.Fields(`. ash awk bash builtin busybox chroot command dash doas env eval exec
	find flock ionice nice nohup nsenter parallel script setsid sh source ssh stdbuf su sudo taskset
	time timeout toybox trap unshare watch xargs zsh`)

// isPython matches the name of a Python, and pythonCode an option that code follows.
var (
	isPython   = regexp.MustCompile(`^python[0-9.]*$`)
	pythonCode = regexp.MustCompile(`^-[A-Za-z]*c`)
)

// isCode reports whether a word is an option that code follows, or may become one.
func isCode(w word) bool { return w.open || pythonCode.MatchString(w.text) }

// program decides as simple does. If the program runs others, a rule can allow it only by its
// full name. reason says what could not be judged.
func (p *policy) program(words []word) (action Action, reason string) {
	action, by := p.simple(words)
	name := path.Base(words[0].text)
	others := slices.Contains(runsOthers, name) || isPython.MatchString(name) && slices.ContainsFunc(words[1:], isCode)
	if action == Allow && others && (by == nil || by.first != words[0].text) {
		return p.unclear(), "the rules cannot judge what " + name + " runs"
	}
	return action, ""
}

// python decides about code of the tool python as about the command python3 -c CODE. A rule
// that asks about or denies python counts as well.
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

// possiblePython reports whether there is code that can be allowed to run.
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
			return false // no later rule decides about any code
		}
	}
	return can(stricter(p.defaults[OpExecute], p.unclear()))
}

// command decides about a shell command, except for the files of its redirections: it returns
// those for the rules for paths. reason says what could not be judged.
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
	moved := false // to another directory
	for _, c := range commands {
		decided, why := p.program(c.words)
		reason = cmp.Or(why, reason)
		relative := slices.ContainsFunc(c.redirects, func(r redirect) bool { return !path.IsAbs(r.path) })
		if moved && relative {
			decided, reason = stricter(decided, unclear), "the rules cannot judge a redirection to a relative path after cd"
		}
		action = stricter(action, decided)
		redirects = append(redirects, c.redirects...)
		moved = moved || slices.Contains([]string{"cd", "pushd", "popd"}, path.Base(c.words[0].text))
	}
	return action, redirects, reason
}
