package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/drydock-go/drydock/sandbox"
)

// Request is a call that somebody has to allow.
type Request struct {
	Tool      string
	Operation Operation
	// Path is the real path that the call is about, or "" where it is about a command.
	Path string
	// Command is the shell command of execute and start_job, and that of the job which
	// another started and this call is about; of python it is "python3 -c" with the code,
	// quoted for the shell. Else it is "".
	Command string
	// Args are the call's arguments as they were understood, defaults filled in.
	Args json.RawMessage
	// Reason is why the rules could not decide, where it is not that they say to ask.
	Reason string
}

// Decision is the answer to a Request. The zero value denies.
type Decision struct {
	// Allow lets this call be made.
	Allow bool
	// Always, with Allow, lets the Set make such calls without asking from now on: those
	// of the same operation on the same real path, of exactly the same command or code, or
	// of the same tool on the same job. What a rule denies stays denied.
	Always bool
	// Reason is told to the model with a denial.
	Reason string
}

// grant is what was allowed always: an operation on a path or of a command, else the use
// of a tool.
type grant struct {
	op   Operation
	tool string
	what string
}

// permit ends the call with a stopped error unless an operation on a real path is allowed.
func (c *call) permit(ctx context.Context, real string) error {
	work, err := c.workDir(ctx)
	if err != nil {
		return err
	}
	action := c.policy.path(c.tool.op, work, real)
	what := fmt.Sprintf("%s of %s", c.tool.op, show(real))
	return c.decide(ctx, action, what, Request{Path: real}, grant{op: c.tool.op, what: real})
}

// permitCommand does so for a command and the files that it redirects to.
func (c *call) permitCommand(ctx context.Context, command string) error {
	action, redirects, reason := c.policy.command(command)
	for _, r := range redirects {
		op := OpRead
		if r.write {
			op = OpWrite
		}
		if slices.Contains([]string{"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"}, r.path) {
			continue
		}
		name := r.path
		if !path.IsAbs(name) {
			name = path.Join(c.o.Dir, ".") + "/" + name
		}
		real, err := c.resolve(ctx, name)
		if err != nil {
			return err
		}
		work, err := c.workDir(ctx)
		if err != nil {
			return err
		}
		if a := c.policy.path(op, work, real); stricter(action, a) != action {
			action, reason = a, fmt.Sprintf("the rules say to %s about the redirection to %s", a, real)
		}
	}
	return c.decide(ctx, action, "this command", Request{Command: command, Reason: reason}, grant{op: OpExecute, what: command})
}

// permitPython does so for code. What was allowed always is not the command of the same
// text: that runs without what earlier code has left.
func (c *call) permitPython(ctx context.Context, code string) error {
	action, reason := c.policy.python(code)
	r := Request{Command: "python3 -c " + quote(code), Reason: reason}
	return c.decide(ctx, action, "this code", r, grant{tool: c.tool.Name, what: code})
}

// permitJob does so for a background job. What this Set has started was permitted then;
// another's is as permitted as it would be to start it.
func (c *call) permitJob(ctx context.Context, info *sandbox.JobInfo) error {
	if c.jobState(info.ID).own {
		return nil
	}
	command := jobCommand(info)
	action, _, reason := c.policy.command(command)
	what := fmt.Sprintf("%s of job %d", c.tool.Name, info.ID)
	return c.decide(ctx, action, what, Request{Command: command, Reason: reason}, grant{tool: c.tool.Name, what: strconv.Itoa(info.ID)})
}

// decide ends the call with a stopped error unless it is allowed; what is the call for the
// model.
func (c *call) decide(ctx context.Context, action Action, what string, r Request, g grant) error {
	why := ""
	if r.Reason != "" {
		why = " (" + r.Reason + ")"
	}
	const next = "do not try it in another way; go on without it, or tell the user what you need"
	if action == Ask {
		c.mu.Lock()
		granted := c.grants[g]
		c.mu.Unlock()
		if granted {
			c.asked = true
			return nil
		}
	}
	switch {
	case action == Allow:
		return nil
	case action == Deny:
		return stop("permission denied: %s is not allowed here%s: %s", what, why, next)
	case c.o.Ask == nil:
		return stop("permission denied: %s needs an approval%s, and nobody can be asked: %s", what, why, next)
	}
	r.Tool, r.Operation, r.Args = c.tool.Name, c.tool.op, structured(c.args)
	d, answered, err := c.ask(ctx, r)
	switch {
	case err != nil:
		return err
	case !answered:
		return stop("permission denied: %s needs an approval%s, and nobody answered within %v: go on without it, or try again later", what, why, c.o.AskTimeout)
	case !d.Allow && d.Reason != "":
		return stop("permission denied: %s was refused by the user, who says: %s", what, d.Reason)
	case !d.Allow:
		return stop("permission denied: %s was refused by the user: %s", what, next)
	}
	if d.Always {
		c.mu.Lock()
		c.grants[g] = true
		c.mu.Unlock()
	}
	c.asked = true
	return nil
}

// ask waits for Options.Ask and no longer than for AskTimeout. A callback that does not
// heed its context is left behind: nobody can end it.
func (c *call) ask(ctx context.Context, r Request) (d Decision, answered bool, err error) {
	asking, cancel := context.WithTimeout(ctx, c.o.AskTimeout)
	defer cancel()
	type answer struct {
		d   Decision
		err error
	}
	got := make(chan answer, 1)
	go func() {
		d, err := c.o.Ask(asking, r)
		got <- answer{d, err}
	}()
	select {
	case a := <-got:
		switch {
		case context.Cause(ctx) != nil:
			return Decision{}, false, context.Cause(ctx)
		case a.err != nil && asking.Err() != nil:
			return Decision{}, false, nil // it heeded its context
		case a.err != nil:
			return Decision{}, false, fmt.Errorf("tools: ask about %s: %w", r.Tool, a.err)
		}
		return a.d, true, nil
	case <-asking.Done():
		return Decision{}, false, context.Cause(ctx)
	}
}
