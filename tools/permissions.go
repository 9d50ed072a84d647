package tools

import (
	"slices"
	"strings"
)

// Operation is a kind of call, for a Rule.
type Operation string

// The operations. Most are named after their tool. OpRead is for read_file, OpWrite for
// write_file, OpEdit for edit_file and hashline_edit, and OpExecute for execute, the tools
// for jobs, and python. Files that grep and glob find are subject to OpRead as well.
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

func operationNames() string {
	var names []string
	for _, op := range operations {
		names = append(names, string(op))
	}
	return strings.Join(names, ", ")
}

// Action is the decision of a Rule.
type Action string

// The actions.
const (
	Allow Action = "allow"
	Ask   Action = "ask"
	Deny  Action = "deny"
)

// strictness orders the actions. It is negative if there is no such action.
func (a Action) strictness() int { return slices.Index([]Action{Allow, Ask, Deny}, a) }

func stricter(a, b Action) Action {
	if b.strictness() > a.strictness() {
		return b
	}
	return a
}

// Rule decides about the calls that it matches.
type Rule struct {
	// Operation is the operation that the rule is for. Default: OpAny.
	Operation Operation
	// Pattern selects paths, or commands if the operation is OpExecute. Default: all.
	//
	// A path is matched as the real path: absolute, without ".." and without symlinks. In
	// a pattern * and ? stop at "/", ** crosses directories, [a-z] and [!a-z] are classes,
	// {a,b} alternatives, and a backslash takes the next character as it is. A pattern
	// that begins with "/" or "**/" is for the whole path, one with another "/" in it for
	// paths below the work dir, and one without "/" for a name in any directory. If a rule
	// that asks or denies matches a directory, it covers all files below that. A rule that
	// allows does so only if its pattern ends with "/**".
	//
	// A command is matched word by word, after the shell's quotes are removed: in a word
	// of the pattern * is any text and ? any character, and a last word * is any number of
	// words, or none. Each command of a list or a pipe is matched on its own, and the
	// strictest decision counts. So "git *" matches git and all its subcommands, but not
	// "git status; rm x". A rule that asks or denies ignores the directory of a program:
	// "rm *" is for /bin/rm as well. Code of the tool python is matched as the command
	// python3 -c CODE, in which the code is one word.
	Pattern string
	// Action is the decision about calls that match.
	Action Action
}

// Permissions decide which calls of a Set's tools are allowed. They are policy; commands are
// confined by the sandbox alone (see the package documentation).
type Permissions struct {
	// Rules decide: the first that matches.
	Rules []Rule
	// Defaults decide by operation if no rule matches.
	Defaults map[Operation]Action
	// Default decides about operations that Defaults leave out. Default: Ask.
	Default Action
}

// secrets are patterns of files that keep keys, passwords and tokens by custom.
var secrets = []string{
	".env", ".env.*", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
	"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".ssh", ".gnupg", ".aws", ".azure", ".kube",
	".netrc", ".pgpass", ".git-credentials", ".pypirc", "credentials.json",
	"**/.docker/config.json", "**/.config/gcloud", "/etc/shadow", "/proc/**/environ", "/proc/**/mem",
}

// denySecrets returns rules against reading, writing and editing them.
func denySecrets() []Rule {
	var rules []Rule
	for _, op := range []Operation{OpRead, OpWrite, OpEdit} {
		for _, pattern := range secrets {
			rules = append(rules, Rule{op, pattern, Deny})
		}
	}
	return rules
}

// Default returns permissions that allow looking at everything but secrets (.env, *.pem,
// id_rsa, .ssh and the like), and that ask before anything is written, edited or executed.
func Default() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Ask, Defaults: map[Operation]Action{
		OpRead: Allow, OpLs: Allow, OpGlob: Allow, OpGrep: Allow,
	}}
}

// Permissive returns permissions that allow everything without asking, except that the tools
// for files do not open secrets, so as not to do so by accident. Commands can open them.
func Permissive() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Allow}
}

// ReadOnly returns permissions that allow looking at everything but secrets, and nothing else:
// the Set has no tools that write or execute.
func ReadOnly() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Deny, Defaults: map[Operation]Action{
		OpRead: Allow, OpLs: Allow, OpGlob: Allow, OpGrep: Allow,
	}}
}

// Strict returns permissions that ask before everything, and deny secrets.
func Strict() *Permissions {
	return &Permissions{Rules: denySecrets(), Default: Ask}
}
