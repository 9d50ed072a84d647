package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// Set holds the tools of one agent on one sandbox. It remembers which files the agent has
// read, so two agents need two Sets. It is safe for concurrent use.
type Set struct {
	sb        Sandbox
	processes processes
	o         Options
	policy    *policy
	tools     []Tool
	denied    []string // tools that the permissions leave out

	mu      sync.Mutex
	workDir string               // its real path, once known
	seen    map[string]string    // the SHA-256 of files that the agent knows, by real path
	locks   map[string]*pathLock // those that calls hold or wait for
	grants  map[grant]bool
	jobs    map[int]*jobState
	python  pythonState
	closed  bool
}

// New returns the tools for a sandbox, but for those that the permissions deny whatever
// their arguments. A rule that does not compile is an error.
func New(sb Sandbox, opts *Options) (*Set, error) {
	s := &Set{
		sb: sb, processes: processesOf(sb), o: orZero(opts),
		seen: map[string]string{}, locks: map[string]*pathLock{}, grants: map[grant]bool{}, jobs: map[int]*jobState{},
	}
	if err := s.o.resolve(); err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	permissions := s.o.Permissions
	if permissions == nil {
		permissions = Default()
	}
	s.o.Permissions = nil // compiled once: later changes by the caller have no effect
	var err error
	if s.policy, err = compile(permissions); err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	canAsk := s.o.Ask != nil
	for _, t := range allTools(&s.o) {
		possible := s.policy.possible(t.op, canAsk)
		if t.Name == "python" {
			possible = s.policy.possiblePython(canAsk)
		}
		if !possible {
			s.denied = append(s.denied, t.Name)
			continue
		}
		t.set, t.Schema = s, schema(t.params)
		s.tools = append(s.tools, t)
	}
	return s, nil
}

// allTools returns the tools of a Set that denies none.
func allTools(o *Options) []Tool {
	edit := editTool()
	if o.HashLine {
		edit = hashlineTool()
	}
	return []Tool{
		lsTool(), readTool(o), writeTool(), edit, globTool(), grepTool(), executeTool(o),
		startJobTool(), jobOutputTool(o), listJobsTool(), stopJobTool(), pythonTool(o),
	}
}

// Close ends the Set's Python with all of its processes. A call of python that is under way
// ends as if it was interrupted. Background jobs go on. Python lasts until the sandbox ends
// if Close is not called. Close may be called any number of times, and all other tools can
// be used after it.
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

// Call calls the tool of a name: see Tool.Call. If there is no such tool, the Result has
// IsError and lists the tools.
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
	list := "the tools are " + strings.Join(names, ", ")
	if len(names) == 0 {
		list = "there are no tools"
	}
	if slices.Contains(s.denied, name) {
		return failed("the tool %s is not permitted here: %s", name, list), nil
	}
	return failed("there is no tool %s: %s", show(name), list), nil
}

// hint returns a text that recommends a tool, or "" if the Set does not have it.
func (s *Set) hint(tool, text string) string {
	if s.tool(tool) == nil {
		return ""
	}
	return text
}

// resolve returns the real path of an argument. Both the rules and the operation get this
// path, so that the file which was judged is the one that is opened. In between, a command
// in the sandbox can still put a symlink in its place: see the package documentation.
func (s *Set) resolve(ctx context.Context, name string) (string, error) {
	real, err := s.sb.RealPath(ctx, name)
	if err != nil {
		return "", s.failure(ctx, name, err)
	}
	if !path.IsAbs(real) {
		return "", fmt.Errorf("tools: the sandbox gave %q as the real path of %q, which is not absolute", real, name)
	}
	return path.Clean(real), nil
}

// realWorkDir returns the real path of the work dir. It is cached: the work dir is a mount,
// so no command can replace it.
func (s *Set) realWorkDir(ctx context.Context) (string, error) {
	s.mu.Lock()
	dir := s.workDir
	s.mu.Unlock()
	if dir != "" {
		return dir, nil
	}
	dir, err := s.resolve(ctx, ".")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workDir = dir
	return dir, nil
}
