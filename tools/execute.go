package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

func executeTool(o *Options) Tool {
	usual, longest := o.seconds()
	return Tool{
		Name: "execute", op: OpExecute, Destructive: true, run: (*call).execute,
		Description: fmt.Sprintf("Run a shell command (/bin/sh -c) in the sandbox and return what it writes to stdout and stderr, in that order, and its exit code where that is not 0. Each call is a shell of its own, without a terminal and with empty stdin: cd and variables do not last. A command is killed after timeout_seconds (%d unless given); start a server or another long one with start_job.", usual),
		params: []param{
			commandParam("The command."),
			{name: "timeout_seconds", kind: "integer", about: "Seconds after which it is killed.", want: "the seconds", def: usual, min: 1, max: longest},
		},
	}
}

func commandParam(about string) param {
	return param{name: "command", kind: "string", about: about, want: "the shell command", required: true, min: 1, max: 100_000}
}

// command returns the shell command of a call that may run it.
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
	cmd.Stdout, cmd.Stderr = out, out // one writer keeps the order
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
		fmt.Fprintf(&p, "[%d bytes of output were dropped in the middle: write it to a file and %ssearch that, or let the command print less]\n", dropped, c.hint("read_file", "use read_file, or "))
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

// shell is the command that runs a line of shell.
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

// writeOutput writes what a program wrote, ending with the end of a line.
func writeOutput(p *strings.Builder, text string) {
	if text == "" {
		text = "(no output)"
	}
	p.WriteString(strings.TrimSuffix(text, "\n"))
	p.WriteByte('\n')
}
