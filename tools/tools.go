package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
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

// Tool is an operation that a model can call.
type Tool struct {
	Name        string
	Description string
	// Schema is the JSON Schema (draft 2020-12) of the arguments: an object.
	Schema json.RawMessage
	// ReadOnly: it changes nothing. Destructive: it can overwrite or remove.
	ReadOnly, Destructive bool

	set    *Set
	op     Operation
	params []param
	run    func(c *call, ctx context.Context) (*Result, error) // a method of call
}

// Result is what a Tool returns to the model.
type Result struct {
	// Text says all there is to say, in valid UTF-8 and at most Options.MaxOutput bytes.
	Text string
	// JSON is the same for programs, or nil; its fields are in the tool's documentation.
	JSON json.RawMessage
	// Images and Documents are files that a model looks at rather than reads.
	Images    []Image
	Documents []Document
	// IsError: the tool did not do what was asked; Text says why and what to do next.
	IsError bool
}

// Image is a picture that a model can see.
type Image struct {
	MediaType string // image/png, image/jpeg, image/gif or image/webp
	Data      []byte
}

// Document is a file that a model can be given as it is.
type Document struct {
	MediaType string // application/pdf
	Name      string // the last element of its path
	Data      []byte
}

// Set is the tools of one agent on one sandbox. It remembers what the agent has read, so
// two agents need two Sets. It is safe for concurrent use.
type Set struct {
	sb        Sandbox
	processes processes
	o         Options
	policy    *policy
	tools     []Tool
	gone      []string // tools that the permissions took out

	mu     sync.Mutex
	work   string // the work dir's real path, once known
	seen   map[string]string
	locks  map[string]*pathLock
	grants map[grant]bool
	jobs   map[int]*jobState
	python pythonState
	closed bool
}

// New returns the tools for a sandbox. A tool that the permissions deny whatever its
// arguments is not among them. A rule that does not compile is an error.
func New(sb Sandbox, opts *Options) (*Set, error) {
	s := &Set{sb: sb, processes: processesOf(sb), o: orZero(opts), seen: map[string]string{}, locks: map[string]*pathLock{}, grants: map[grant]bool{}, jobs: map[int]*jobState{}}
	o := &s.o
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Timeout", &o.Timeout, DefaultTimeout},
		{"MaxTimeout", &o.MaxTimeout, max(DefaultMaxTimeout, o.Timeout)},
		{"AskTimeout", &o.AskTimeout, DefaultAskTimeout},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("tools: %s %v is negative", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	o.Timeout = min(o.Timeout, o.MaxTimeout)
	if o.MaxTimeout < time.Second {
		return nil, fmt.Errorf("tools: MaxTimeout %v: give at least one second", o.MaxTimeout)
	}
	if o.MaxOutput == 0 {
		o.MaxOutput = DefaultMaxOutput
	}
	if o.MaxOutput < 1000 {
		return nil, fmt.Errorf("tools: MaxOutput %d: give at least 1000 bytes", o.MaxOutput)
	}
	for _, entry := range o.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" || strings.Contains(entry, "\x00") {
			return nil, fmt.Errorf("tools: environment entry %q: write KEY=VALUE", name)
		}
	}
	o.Env = slices.Clone(o.Env)
	p := o.Permissions
	if p == nil {
		p = Default()
	}
	o.Permissions = nil // compiled once: what the caller does to it later has no effect
	var err error
	if s.policy, err = compile(p); err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	all := []Tool{lsTool(), readTool(o), writeTool()}
	if o.HashLine {
		all = append(all, hashlineTool())
	} else {
		all = append(all, editTool())
	}
	all = append(all, globTool(), grepTool(), executeTool(o), startJobTool(), jobOutputTool(o), listJobsTool(), stopJobTool(), pythonTool(o))
	for _, t := range all {
		possible := s.policy.possible(t.op, o.Ask != nil)
		if t.Name == "python" {
			possible = s.policy.possiblePython(o.Ask != nil)
		}
		if !possible {
			s.gone = append(s.gone, t.Name)
			continue
		}
		t.set, t.Schema = s, schema(t.params)
		s.tools = append(s.tools, t)
	}
	return s, nil
}

// Close ends the Set's Python with all that came of it; a call of python under way ends as
// one that was interrupted. Background jobs go on. A Set that is not closed keeps its
// Python until the sandbox ends. Close may be called any number of times, and all other
// tools can be used after it.
func (s *Set) Close() error {
	s.mu.Lock()
	s.closed = true
	in := s.python.in
	s.python.in = nil
	s.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.Close()
}

// Tools returns the tools, in an order that does not change.
func (s *Set) Tools() []Tool {
	tools := slices.Clone(s.tools)
	for i := range tools {
		tools[i].Schema = slices.Clone(tools[i].Schema)
	}
	return tools
}

// Tool returns the tool of a name.
func (s *Set) Tool(name string) (Tool, bool) {
	t := s.tool(name)
	if t == nil {
		return Tool{}, false
	}
	tool := *t
	tool.Schema = slices.Clone(t.Schema)
	return tool, true
}

// tool returns the Set's own Tool of a name, or nil.
func (s *Set) tool(name string) *Tool {
	i := slices.IndexFunc(s.tools, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &s.tools[i]
}

// Call calls the tool of a name: see Tool.Call. A tool that does not exist is a Result
// with IsError that lists those that do.
func (s *Set) Call(ctx context.Context, name string, args json.RawMessage) (*Result, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if t := s.tool(name); t != nil {
		return t.Call(ctx, args)
	}
	var names []string
	for _, t := range s.tools {
		names = append(names, t.Name)
	}
	there := "the tools are " + strings.Join(names, ", ")
	if len(names) == 0 {
		there = "there are no tools"
	}
	if slices.Contains(s.gone, name) {
		return failed("the tool %s is not permitted here: %s", name, there), nil
	}
	return failed("there is no tool %s: %s", show(name), there), nil
}

// call is one call of a tool.
type call struct {
	*Set
	tool *Tool
	args values
	// asked: somebody was asked about this call, and allowed it.
	asked bool
}

// Call calls the tool with a JSON object of arguments. What the model can do something
// about is a Result, with IsError where it failed: a wrong argument, a file that is not
// there, a command that exits with another code than 0, a denial. An error is what it
// cannot: the cause of ctx, that of Options.Ask, or the sandbox's, such as
// sandbox.ErrLost and sandbox.ErrClosed.
func (t Tool) Call(ctx context.Context, args json.RawMessage) (*Result, error) {
	if t.set == nil {
		return nil, errors.New("tools: this Tool was not made by New")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	v, problems := decode(t.Name, t.params, args)
	if len(problems) > 0 {
		return failed("%s was not called: %s", t.Name, strings.Join(problems, "\n")), nil
	}
	c := &call{Set: t.set, tool: &t, args: v}
	r, err := t.run(c, ctx)
	if ended, ok := errors.AsType[*stopped](err); ok {
		r, err = ended.result, nil
	}
	if err != nil {
		return nil, err
	}
	r.Text = t.set.bound(r.Text)
	return r, nil
}

// stopped ends a call early with a result for the model.
type stopped struct{ result *Result }

func (s *stopped) Error() string { return s.result.Text }

// stop returns the error that becomes a Result with IsError.
func stop(format string, args ...any) error { return &stopped{failed(format, args...)} }

func failed(format string, args ...any) *Result {
	return &Result{Text: clean(fmt.Sprintf(format, args...)), IsError: true}
}

// hint is text that recommends a tool, where that is there.
func (s *Set) hint(tool, text string) string {
	if s.tool(tool) == nil {
		return ""
	}
	return text
}

// failure makes of a sandbox's error what Call returns: text for the model where the
// file or the command is to blame, else the error as it is.
func (s *Set) failure(ctx context.Context, name string, err error) error {
	e, ok := errors.AsType[*sandbox.Error](err)
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil, errors.Is(err, sandbox.ErrLost), errors.Is(err, sandbox.ErrClosed),
		!ok, e.Code == "", e.Code == sandbox.CodeAborted, e.Code == sandbox.CodeUnsupported:
		return err
	}
	name = show(name)
	switch e.Code {
	case sandbox.CodeNotExist:
		return stop("%s does not exist%s", name, s.hint("ls", ": list its directory with ls, or find it with glob"))
	case sandbox.CodeIsDir:
		return stop("%s is a directory%s", name, s.hint("ls", ": use ls to list it"))
	case sandbox.CodeNotDir:
		return stop("%s: a part of this path is a file and not a directory", name)
	case sandbox.CodePermission, sandbox.CodeReadOnly:
		return stop("%s: the user of this sandbox may not do that (%s): choose a path in the work dir, the home directory or /tmp", name, e.Code)
	case sandbox.CodeNotRegular:
		return stop("%s is a device, a FIFO or a socket, and not a regular file", name)
	case sandbox.CodeTooLarge:
		return stop("%s is too large for this tool: %v%s", name, e.Err, s.hint("execute", "; use a command such as sed, head or split with execute"))
	case sandbox.CodeNoSpace:
		return stop("%s: no space is left: remove files that are not needed any more", name)
	case sandbox.CodeLoop:
		return stop("%s: too many symbolic links, one of which leads back to itself", name)
	case sandbox.CodeNameTooLong:
		return stop("%s: the name is too long: a name has at most 255 bytes, a path 4095", name)
	}
	return stop("%v", e)
}

// resolve returns the real path of an argument, which the rules and every operation use,
// so that what was judged is what is opened. Between the two a command in the sandbox can
// still put a symlink in its place: see the package documentation.
func (s *Set) resolve(ctx context.Context, name string) (string, error) {
	real, err := s.sb.RealPath(ctx, name)
	if err != nil {
		return "", s.failure(ctx, name, err)
	}
	if !path.IsAbs(real) {
		return "", fmt.Errorf("tools: the sandbox says that the real path of %q is %q", name, real)
	}
	return path.Clean(real), nil
}

// workDir returns the real path of the work dir. It is asked for once: a command can put
// no other directory in its place, since it is a mount.
func (s *Set) workDir(ctx context.Context) (string, error) {
	s.mu.Lock()
	work := s.work
	s.mu.Unlock()
	if work != "" {
		return work, nil
	}
	work, err := s.resolve(ctx, ".")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = work
	return work, nil
}

// remember notes that the agent knows a file with this SHA-256.
func (s *Set) remember(real, hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[real] = hash
}

// known returns the SHA-256 of a file as the agent last saw it, or "".
func (s *Set) known(real string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[real]
}

// pathLock is held by the one call that changes a path.
type pathLock struct {
	held  chan struct{} // has room for one
	users int
}

// lock waits until no other call of this Set changes the path.
func (s *Set) lock(ctx context.Context, real string) (unlock func(), err error) {
	s.mu.Lock()
	l := s.locks[real]
	if l == nil {
		l = &pathLock{held: make(chan struct{}, 1)}
		s.locks[real] = l
	}
	l.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.locks, real)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// orZero returns what p points to, or the zero value if it is nil.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
