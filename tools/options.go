package tools

import (
	"context"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// The defaults and bounds of Options.
const (
	DefaultMaxOutput  = 30_000 // bytes of UTF-8
	DefaultTimeout    = 2 * time.Minute
	DefaultMaxTimeout = 10 * time.Minute
	DefaultAskTimeout = 5 * time.Minute
)

// Sandbox is what the tools need of a sandbox. *sandbox.Sandbox is one; something that
// embeds it can narrow or record what is done. It must be safe for concurrent use.
type Sandbox interface {
	RealPath(ctx context.Context, name string) (string, error)
	Stat(ctx context.Context, name string) (sandbox.FileInfo, error)
	ReadDir(ctx context.Context, name string) ([]sandbox.FileInfo, error)
	ReadFile(ctx context.Context, name string, opts *sandbox.ReadOptions) ([]byte, error)
	ReadLines(ctx context.Context, name string, opts *sandbox.LineOptions) (*sandbox.Lines, error)
	WriteFile(ctx context.Context, name string, data []byte, opts *sandbox.WriteOptions) (sandbox.WriteResult, error)
	Edit(ctx context.Context, name, old, new string, opts *sandbox.EditOptions) (*sandbox.EditResult, error)
	Glob(ctx context.Context, pattern string, opts *sandbox.GlobOptions) (*sandbox.GlobResult, error)
	Grep(ctx context.Context, pattern string, opts *sandbox.GrepOptions) (*sandbox.GrepResult, error)
	Command(name string, args ...string) *sandbox.Command
	Job(id int) *sandbox.Job
	Jobs(ctx context.Context) ([]sandbox.JobInfo, error)
	Interpreter(ctx context.Context, lang sandbox.Language, opts *sandbox.InterpreterOptions) (*sandbox.Interpreter, error)
}

var _ Sandbox = (*sandbox.Sandbox)(nil)

// Options say what New puts in a Set; nil is all defaults.
type Options struct {
	// Permissions say what is allowed, asked and denied. Default: Default().
	Permissions *Permissions
	// Ask is called before what the permissions say to ask about, from any number of
	// goroutines. Its error is returned by the call that had to ask. Default: nobody can
	// be asked, so that what would be asked is denied.
	Ask func(ctx context.Context, r Request) (Decision, error)
	// AskTimeout is how long Ask may take; no answer is a denial, which says so. Ask's
	// context ends then, and an Ask that goes on is left behind.
	// Default: DefaultAskTimeout.
	AskTimeout time.Duration
	// HashLine replaces edit_file by hashline_edit, which names lines by number and hash
	// of their contents, as read_file then shows them.
	HashLine bool
	// MaxOutput bounds the text of a Result in bytes; at least 1,000.
	// Default: DefaultMaxOutput.
	MaxOutput int
	// Timeout is that of a call of execute, python and job_output's wait_for which gives
	// none, MaxTimeout the longest one that it can give. Jobs have no timeout.
	// Default: DefaultTimeout and DefaultMaxTimeout.
	Timeout, MaxTimeout time.Duration
	// Dir is where commands, jobs and Python start. Default: the sandbox's work dir, where
	// relative paths begin in any case.
	Dir string
	// Env is set for commands, jobs and Python, as KEY=VALUE.
	Env []string
}

// orZero returns what p points to, or the zero value if it is nil.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
