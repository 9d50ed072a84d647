package tools

import "slices"

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
