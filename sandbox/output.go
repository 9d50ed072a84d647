package sandbox

import (
	"cmp"
	"context"
	"fmt"

	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// ExitError is the error of Output and CombinedOutput for a command that did not exit with
// code 0.
type ExitError struct {
	*Result
}

func (e *ExitError) Error() string {
	text := string(e.Outcome)
	switch {
	case e.Outcome == Exited:
		text = fmt.Sprintf("exit code %d", e.ExitCode)
	case e.Signal != "":
		text += " by " + e.Signal
	}
	const maxTail = 500
	if tail := e.Stderr; len(tail) > 0 {
		text += ": " + printable.Text(string(tail[max(0, len(tail)-maxTail):]))
	}
	return text
}

// DefaultOutput is how many bytes Output and CombinedOutput return at most if Command.Capture
// is not set.
const DefaultOutput = 8 << 20

// Output runs the command and returns its stdout. If the command does not exit with code 0,
// the error is an *ExitError, which has its stderr. More output than Capture, by default
// DefaultOutput, is ErrTooLarge.
func (c *Command) Output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, failure("exec", c.name(), invalid("Stdout is set already"))
	}
	return c.output(ctx)
}

// CombinedOutput is Output for stdout and stderr together, in the order of writing.
func (c *Command) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, failure("exec", c.name(), invalid("Stdout or Stderr is set already"))
	}
	c.join = true
	return c.output(ctx)
}

func (c *Command) output(ctx context.Context) ([]byte, error) {
	c.Capture = cmp.Or(c.Capture, DefaultOutput)
	r, err := c.Run(ctx)
	switch {
	case r == nil:
		return nil, err
	case err != nil:
		return r.Stdout, err
	case !r.OK():
		return r.Stdout, &Error{Op: "exec", Name: c.name(), Err: &ExitError{r}}
	case r.StdoutDropped > 0:
		return r.Stdout, &Error{Op: "exec", Name: c.name(), Code: CodeTooLarge,
			Err: fmt.Errorf("%d bytes more than the limit of %d: set Capture to more, or read StdoutPipe", r.StdoutDropped, c.Capture)}
	}
	return r.Stdout, nil
}
