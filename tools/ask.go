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

// Request describes a call that somebody has to allow.
type Request struct {
	Tool      string
	Operation Operation
	// Path is the real path of the call's file or directory, or "" if the call has a
	// command.
	Path string
	// Command is the shell command of execute and start_job. For python it is "python3 -c"
	// and the code, quoted for the shell. For a call about a job that the Set did not start
	// it is the job's command. Else it is "".
	Command string
	// Args are the call's arguments as they were understood, with the defaults.
	Args json.RawMessage
	// Reason says why the rules could not decide. It is "" if they say to ask.
	Reason string
}

// Decision is the answer to a Request. The zero value denies.
type Decision struct {
	// Allow allows this call.
	Allow bool
	// Always, with Allow, allows all such calls of the Set from now on: those of the same
	// operation on the same real path, of exactly the same command or code, or of the same
	// tool on the same job. A call that a rule denies is denied all the same.
	Always bool
	// Reason is told to the model with a denial.
	Reason string
}

// grant is what Decision.Always has allowed: an operation on a path or of a command, or the
// use of a tool.
type grant struct {
	op      Operation
	tool    string
	subject string // a real path, a command, code or the id of a job
}

// granted reports whether something is always allowed.
func (s *Set) granted(g grant) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants[g]
}

// permit ends the call with a stopped error unless its operation is allowed on a real path.
func (c *call) permit(ctx context.Context, real string) error {
	workDir, err := c.realWorkDir(ctx)
	if err != nil {
		return err
	}
	action := c.policy.path(c.tool.op, workDir, real)
	subject := fmt.Sprintf("%s of %s", c.tool.op, show(real))
	return c.decide(ctx, action, subject, Request{Path: real}, grant{op: c.tool.op, subject: real})
}

// terminals are the files that a command may always redirect to and from.
var terminals = []string{"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"}

// permitCommand does so for a command and the files of its redirections.
func (c *call) permitCommand(ctx context.Context, command string) error {
	action, redirects, reason := c.policy.command(command)
	for _, r := range redirects {
		if slices.Contains(terminals, r.path) {
			continue
		}
		real, decided, err := c.redirection(ctx, r)
		if err != nil {
			return err
		}
		if stricter(action, decided) != action {
			verb := map[Action]string{Ask: "ask about", Deny: "deny"}[decided]
			action, reason = decided, fmt.Sprintf("the rules %s the redirection to %s", verb, real)
		}
	}
	return c.decide(ctx, action, "this command", Request{Command: command, Reason: reason}, grant{op: OpExecute, subject: command})
}

// redirection returns the real path of a redirection's file, and what the rules say about it.
func (c *call) redirection(ctx context.Context, r redirect) (real string, action Action, err error) {
	op := OpRead
	if r.write {
		op = OpWrite
	}
	name := r.path
	if !path.IsAbs(name) {
		name = path.Join(c.o.Dir, ".") + "/" + name
	}
	if real, err = c.resolve(ctx, name); err != nil {
		return "", "", err
	}
	workDir, err := c.realWorkDir(ctx)
	if err != nil {
		return "", "", err
	}
	return real, c.policy.path(op, workDir, real), nil
}

// permitPython does so for code of python. Its grant is not that of the command with the same
// text, which runs without the variables of earlier code.
func (c *call) permitPython(ctx context.Context, code string) error {
	action, reason := c.policy.python(code)
	r := Request{Command: "python3 -c " + quote(code), Reason: reason}
	return c.decide(ctx, action, "this code", r, grant{tool: c.tool.Name, subject: code})
}

// permitJob does so for a background job. One that this Set has started was permitted then;
// for another the rules decide as if the call started it.
func (c *call) permitJob(ctx context.Context, info *sandbox.JobInfo) error {
	if c.jobState(info.ID).own {
		return nil
	}
	command := jobCommand(info)
	action, _, reason := c.policy.command(command)
	subject := fmt.Sprintf("%s of job %d", c.tool.Name, info.ID)
	r := Request{Command: command, Reason: reason}
	return c.decide(ctx, action, subject, r, grant{tool: c.tool.Name, subject: strconv.Itoa(info.ID)})
}

// decide ends the call with a stopped error unless an action, or somebody who is asked,
// allows it. subject names what the call does, for the model.
func (c *call) decide(ctx context.Context, action Action, subject string, r Request, g grant) error {
	if action == Ask && c.granted(g) {
		c.approved = true
		return nil
	}
	why := ""
	if r.Reason != "" {
		why = " (" + r.Reason + ")"
	}
	const next = "do not try it in another way; go on without it, or tell the user what you need"
	switch {
	case action == Allow:
		return nil
	case action == Deny:
		return stop("permission denied: %s is not allowed here%s: %s", subject, why, next)
	case c.o.Ask == nil:
		return stop("permission denied: %s needs an approval%s, and nobody can be asked: %s", subject, why, next)
	}
	r.Tool, r.Operation, r.Args = c.tool.Name, c.tool.op, structured(c.args)
	d, answered, err := c.ask(ctx, r)
	switch {
	case err != nil:
		return err
	case !answered:
		return stop("permission denied: %s needs an approval%s, and nobody answered within %v: go on without it, or try again later",
			subject, why, c.o.AskTimeout)
	case !d.Allow && d.Reason != "":
		return stop("permission denied: %s was refused by the user, who says: %s", subject, d.Reason)
	case !d.Allow:
		return stop("permission denied: %s was refused by the user: %s", subject, next)
	}
	if d.Always {
		c.mu.Lock()
		c.grants[g] = true
		c.mu.Unlock()
	}
	c.approved = true
	return nil
}

// ask calls Options.Ask and waits for the answer, at most AskTimeout. A callback that
// ignores its context is left behind, because nothing can end it.
func (c *call) ask(ctx context.Context, r Request) (d Decision, answered bool, err error) {
	asking, cancel := context.WithTimeout(ctx, c.o.AskTimeout)
	defer cancel()
	type answer struct {
		d   Decision
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		d, err := c.o.Ask(asking, r)
		answers <- answer{d, err}
	}()
	select {
	case a := <-answers:
		switch {
		case context.Cause(ctx) != nil:
			return Decision{}, false, context.Cause(ctx)
		case a.err != nil && asking.Err() != nil:
			return Decision{}, false, nil // Ask returned because its time was up
		case a.err != nil:
			return Decision{}, false, fmt.Errorf("tools: ask about %s: %w", r.Tool, a.err)
		}
		return a.d, true, nil
	case <-asking.Done():
		return Decision{}, false, context.Cause(ctx)
	}
}
