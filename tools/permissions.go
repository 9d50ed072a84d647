package tools

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Operation is what a tool does, for a Rule.
type Operation string

// The operations. Each is that of the tool of its name; OpRead is read_file's, OpWrite
// write_file's, OpEdit edit_file's and hashline_edit's, and OpExecute that of start_job and
// the tools for jobs, and of python, too. What grep and glob find is subject to OpRead as
// well.
const (
	OpRead    Operation = "read"
	OpWrite   Operation = "write"
	OpEdit    Operation = "edit"
	OpExecute Operation = "execute"
	OpLs      Operation = "ls"
	OpGlob    Operation = "glob"
	OpGrep    Operation = "grep"
	OpAny     Operation = "*"
)

var operations = []Operation{OpRead, OpWrite, OpEdit, OpExecute, OpLs, OpGlob, OpGrep}

// Action is what a Rule decides.
type Action string

// The actions.
const (
	Allow Action = "allow"
	Ask   Action = "ask"
	Deny  Action = "deny"
)

// strictness orders actions.
func (a Action) strictness() int { return slices.Index([]Action{Allow, Ask, Deny}, a) }

func stricter(a, b Action) Action {
	if b.strictness() > a.strictness() {
		return b
	}
	return a
}

// Rule decides about the calls that it matches.
type Rule struct {
	// Operation is which. Default: OpAny.
	Operation Operation
	// Pattern is which paths, or of OpExecute which commands. Default: all.
	//
	// A path is matched as it really is: absolute, with no "..", and no symlink in it.
	// In a pattern * and ? stop at "/", ** crosses directories, [a-z] and [!a-z] are
	// classes, {a,b} alternatives, and a backslash takes the next character as it is.
	// One that begins with "/" or "**/" is for the whole path, one with another "/" in
	// it for paths below the work dir, and one without for a name in any directory.
	// Where a rule asks or denies, a pattern that matches a directory covers all that is
	// in it; one that allows says so with a "/**" at its end.
	//
	// A command is matched as the words that the shell makes of it, each against a word
	// of the pattern, in which * is any text and ? any character; a last word * is any
	// further words, or none. Each of the commands in a list or a pipe is matched apart,
	// and the strictest decision is that of them all. "git *" matches git and all its
	// subcommands, and no "git status; rm x". A rule that asks or denies sees through the
	// directory of a program: "rm *" is for /bin/rm as well. Code of the tool python is
	// matched as the command python3 -c CODE, with the code as one word.
	Pattern string
	Action  Action
}

// Permissions say what a Set's tools may do. The first rule that matches decides. They
// are policy: what confines a command is the sandbox (see the package documentation).
type Permissions struct {
	Rules []Rule
	// Defaults decide by operation where no rule matches.
	Defaults map[Operation]Action
	// Default decides for operations that Defaults leave out. Default: Ask.
	Default Action
}

// secrets are where keys, passwords and tokens are kept by custom.
var secrets = []string{
	".env", ".env.*", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
	"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".ssh", ".gnupg", ".aws", ".azure", ".kube",
	".netrc", ".pgpass", ".git-credentials", ".pypirc", "credentials.json",
	"**/.docker/config.json", "**/.config/gcloud", "/etc/shadow", "/proc/**/environ", "/proc/**/mem",
}

func denySecrets() []Rule {
	var rules []Rule
	for _, op := range []Operation{OpRead, OpWrite, OpEdit} {
		for _, pattern := range secrets {
			rules = append(rules, Rule{op, pattern, Deny})
		}
	}
	return rules
}

// Default returns the permissions to look at everything but secrets (.env, *.pem, id_rsa,
// .ssh and the like), and to ask before anything is written, edited or executed.
func Default() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Ask, Defaults: map[Operation]Action{
		OpRead: Allow, OpLs: Allow, OpGlob: Allow, OpGrep: Allow,
	}}
}

// Permissive returns the permissions to do everything in the sandbox without being asked.
// Only that the file tools open secrets by accident is denied; commands can.
func Permissive() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Allow}
}

// ReadOnly returns the permissions to look at everything but secrets, and to do nothing
// else: neither writing nor executing tools are in the Set.
func ReadOnly() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Deny, Defaults: map[Operation]Action{
		OpRead: Allow, OpLs: Allow, OpGlob: Allow, OpGrep: Allow,
	}}
}

// Strict returns the permissions to ask before everything, but for secrets, which are
// denied.
func Strict() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Ask}
}

// policy is Permissions, compiled.
type policy struct {
	rules    []rule
	defaults map[Operation]Action
}

type rule struct {
	Rule
	all   bool           // matches everything
	path  *regexp.Regexp // nil for OpExecute
	local bool           // path is matched below the work dir
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
	text, err := globRegexp(pattern)
	if err == nil {
		c.path, err = regexp.Compile(text)
	}
	if err != nil {
		return c, fmt.Errorf("pattern %q does not compile: %w", r.Pattern, err)
	}
	return c, nil
}

// globRegexp translates a glob pattern to a regular expression for a whole path.
func globRegexp(pattern string) (string, error) {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	depth := 0
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		atStart := i == 0 || pattern[i-1] == '/'
		switch ch := pattern[i]; {
		case rest == "/**":
			re.WriteString(`(?:/.*)?`)
			i += 2
		case atStart && strings.HasPrefix(rest, "**/"):
			re.WriteString(`(?:.*/)?`)
			i += 2
		case atStart && rest == "**":
			re.WriteString(`.*`)
			i++
		case ch == '*':
			re.WriteString(`[^/]*`)
		case ch == '?':
			re.WriteString(`[^/]`)
		case ch == '{':
			depth++
			re.WriteString(`(?:`)
		case ch == '}' && depth > 0:
			depth--
			re.WriteString(`)`)
		case ch == ',' && depth > 0:
			re.WriteString(`|`)
		case ch == '[':
			n, class := classRegexp(rest)
			if n == 0 {
				return "", fmt.Errorf(`a [ has no ]; write \[ for the character itself`)
			}
			re.WriteString(class)
			i += n - 1
		case ch == '\\':
			if i++; i == len(pattern) {
				return "", fmt.Errorf("a backslash at the end takes no character")
			}
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	if depth > 0 {
		return "", fmt.Errorf(`a { has no }; write \{ for the character itself`)
	}
	re.WriteString(`\z`)
	return re.String(), nil
}

// classRegexp translates the class that text begins with; n is its length, 0 where it has
// no end. It never matches "/".
func classRegexp(text string) (n int, class string) {
	i, out := 1, "["
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, out = i+1, "[^/"
	}
	for first := true; i < len(text) && text[i] != '/'; i, first = i+1, false {
		switch ch := text[i]; {
		case ch == ']' && !first:
			return i + 1, out + "]"
		case ch == '\\' && i+1 < len(text):
			i++
			out += regexp.QuoteMeta(text[i : i+1])
		case strings.IndexByte(`[]^&~\`, ch) >= 0:
			out += `\` + text[i:i+1]
		default:
			out += text[i : i+1]
		}
	}
	return 0, ""
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
		if ok && r.path.MatchString(subject) {
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
