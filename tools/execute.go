package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// executeDescription has the default timeout in seconds for %d.
const executeDescription = "Run a shell command (/bin/sh -c) in the sandbox and return what it writes to stdout and " +
	"stderr, in the order in which it is written, and its exit code if that is not 0. Each call is a shell of its " +
	"own, without a terminal and with empty stdin: cd and variables do not last. A command is killed after " +
	"timeout_seconds (%d unless given); start a server or another long command with start_job."

// commandParam is the parameter of tools that start a shell command.
var commandParam = param{name: "command", kind: "string", required: true, min: 1, max: 100_000,
	about: "The command.", want: "the shell command"}

func executeTool(o *Options) Tool {
	timeout, maxTimeout := o.seconds()
	return Tool{
		Name: "execute", op: OpExecute, Destructive: true, run: (*call).execute,
		Description: fmt.Sprintf(executeDescription, timeout),
		params: []param{
			commandParam,
			{name: "timeout_seconds", kind: "integer", def: timeout, min: 1, max: maxTimeout,
				about: "Seconds after which it is killed.", want: "the seconds"},
		},
	}
}

// command returns the shell command of a call, if the call may run it.
func (c *call) command(ctx context.Context) (string, error) {
	command := c.args.str("command")
	if strings.TrimSpace(command) == "" {
		return "", stop(`parameter "command" has only white space in it: give the shell command as a string`)
	}
	return command, c.permitCommand(ctx, command)
}

func (c *call) execute(ctx context.Context) (*Result, error) {
	seconds := c.args.num("timeout_seconds")
	command, err := c.command(ctx)
	if err != nil {
		return nil, err
	}
	out := &headTail{limit: c.o.MaxOutput - reserve}
	cmd := c.shell(command)
	cmd.Stdout, cmd.Stderr = out, out // one writer for both keeps the order
	cmd.Timeout = time.Duration(seconds) * time.Second
	r, err := c.processes.run(ctx, cmd)
	if err != nil {
		if r == nil {
			return nil, c.noShell(ctx, err)
		}
		return nil, c.failure(ctx, "/bin/sh", err)
	}
	var p strings.Builder
	text, dropped := out.text()
	writeOutput(&p, text)
	if dropped > 0 {
		fmt.Fprintf(&p, "[%d bytes of output were dropped in the middle: write the output to a file and %s, or let the command print less]\n",
			dropped, cmp.Or(c.hint("read_file", "read or search that"), "search that"))
	}
	if text := c.outcome(r, seconds); text != "" {
		fmt.Fprintf(&p, "[%s]\n", text)
	}
	return &Result{Text: strings.TrimSuffix(p.String(), "\n"), IsError: !r.OK(), JSON: structured(struct {
		Outcome  string `json:"outcome"`
		ExitCode int    `json:"exit_code"`
		Signal   string `json:"signal,omitempty"`
		Millis   int64  `json:"duration_ms"`
		Dropped  int64  `json:"dropped_bytes,omitempty"`
	}{string(r.Outcome), r.ExitCode, r.Signal, r.Duration.Milliseconds(), dropped})}, nil
}

// shell returns the command that runs a shell command.
func (c *call) shell(command string) *sandbox.Command {
	cmd := c.sb.Command("/bin/sh", "-c", command)
	cmd.Env, cmd.Dir = c.o.Env, c.o.Dir
	return cmd
}

// noShell is failure for a shell command that could not be started.
func (c *call) noShell(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*sandbox.Error](err); ok {
		switch e.Code {
		case sandbox.CodeCommandNotFound:
			return stop("this sandbox has no /bin/sh: no command can be run")
		case sandbox.CodeTooLong:
			return stop("the command is too long: write it to a file%s and run that", c.hint("write_file", " with write_file"))
		}
	}
	return c.failure(ctx, "/bin/sh", err)
}

// writeOutput writes the output of a program, and a line end if that has none at its end.
func writeOutput(p *strings.Builder, text string) {
	if text == "" {
		text = "(no output)"
	}
	p.WriteString(strings.TrimSuffix(text, "\n"))
	p.WriteByte('\n')
}
