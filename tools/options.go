package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
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

// Sandbox is what the tools need of a sandbox. *sandbox.Sandbox is one; a type that embeds
// it can restrict or record its operations. It must be safe for concurrent use.
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

// Options of a Set; nil is all defaults.
type Options struct {
	// Permissions decide which calls are allowed, asked about and denied.
	// Default: Default().
	Permissions *Permissions
	// Ask is called before each call that the permissions ask about, from any number of
	// goroutines. If it returns an error, so does the call. Default: nobody can be asked,
	// and such calls are denied.
	Ask func(ctx context.Context, r Request) (Decision, error)
	// AskTimeout is how long Ask may take. Without an answer by then the call is denied,
	// for that reason. Ask's context ends at the same time; an Ask that goes on is left
	// behind. Default: DefaultAskTimeout.
	AskTimeout time.Duration
	// HashLine replaces edit_file by hashline_edit, which names lines by their number and
	// a hash of their contents. read_file then shows both.
	HashLine bool
	// MaxOutput bounds the text of a Result in bytes; at least 1,000.
	// Default: DefaultMaxOutput.
	MaxOutput int
	// Timeout is for calls of execute, python and job_output with wait_for that give none.
	// MaxTimeout, at least one second, is the longest that a call can give. Jobs have no
	// timeout. Default: DefaultTimeout and DefaultMaxTimeout.
	Timeout, MaxTimeout time.Duration
	// Dir is the directory in which commands, jobs and Python start. Relative paths of
	// files are relative to the sandbox's work dir all the same. Default: the work dir.
	Dir string
	// Env is set for commands, jobs and Python, as KEY=VALUE.
	Env []string
}

// resolve checks the options and fills in the defaults. The permissions are the Set's
// business.
func (o *Options) resolve() error {
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"Timeout", &o.Timeout, DefaultTimeout},
		{"MaxTimeout", &o.MaxTimeout, max(DefaultMaxTimeout, o.Timeout)},
		{"AskTimeout", &o.AskTimeout, DefaultAskTimeout},
	} {
		if *d.value < 0 {
			return fmt.Errorf("%s %v is negative: leave it out for the default, %v", d.name, *d.value, d.fallback)
		}
		*d.value = cmp.Or(*d.value, d.fallback)
	}
	o.Timeout = min(o.Timeout, o.MaxTimeout)
	o.MaxOutput = cmp.Or(o.MaxOutput, DefaultMaxOutput)
	switch {
	case o.MaxTimeout < time.Second:
		return fmt.Errorf("MaxTimeout %v: give at least one second", o.MaxTimeout)
	case o.MaxOutput < 1000:
		return fmt.Errorf("MaxOutput %d: give at least 1000 bytes", o.MaxOutput)
	}
	for _, entry := range o.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" || strings.Contains(entry, "\x00") {
			return fmt.Errorf("environment entry %q: write KEY=VALUE, without NUL bytes", name)
		}
	}
	o.Env = slices.Clone(o.Env)
	return nil
}

// seconds returns Timeout and MaxTimeout in seconds, for parameters.
func (o *Options) seconds() (timeout, maxTimeout int) {
	return max(1, int(o.Timeout/time.Second)), int(o.MaxTimeout / time.Second)
}

// orZero returns *p, or the zero value if p is nil.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
