package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

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

// hint is text that recommends a tool, where that is there.
func (s *Set) hint(tool, text string) string {
	if s.tool(tool) == nil {
		return ""
	}
	return text
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
