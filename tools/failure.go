package tools

import (
	"context"
	"errors"

	"github.com/drydock-go/drydock/sandbox"
)

// failure turns an error of the sandbox into the error of a call: a text for the model if
// the file or the command is to blame, else the error as it is.
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
		return stop("%s: the user of this sandbox may not do that (%s): "+
			"choose a path in the work dir, the home directory or /tmp", name, e.Code)
	case sandbox.CodeNotRegular:
		return stop("%s is a device, a FIFO or a socket, and not a regular file", name)
	case sandbox.CodeTooLarge:
		return stop("%s is too large for this tool: %v%s", name, e.Err,
			s.hint("execute", "; use a command such as sed, head or split with execute"))
	case sandbox.CodeNoSpace:
		return stop("%s: no space is left: remove files that are not needed any more", name)
	case sandbox.CodeLoop:
		return stop("%s: too many symbolic links, one of which leads back to itself", name)
	case sandbox.CodeNameTooLong:
		return stop("%s: the name is too long: a name has at most 255 bytes, a path 4095", name)
	}
	return stop("%v", e)
}

// failureOfPattern is failure for a call that has a pattern, which may be to blame.
func (c *call) failureOfPattern(ctx context.Context, name string, err error) error {
	if e, ok := errors.AsType[*sandbox.Error](err); ok && e.Code == sandbox.CodeInvalid && context.Cause(ctx) == nil {
		return stop("%v: nothing was searched; correct the pattern, or put a backslash before a character that stands for itself", e.Err)
	}
	return c.failure(ctx, name, err)
}

// badRegexp is the error for a parameter that is no regular expression.
func badRegexp(parameter string, err error) error {
	return stop("%s does not compile: %v: the syntax is RE2, in which . ( ) [ { + * ? | ^ $ and \\ are special; "+
		"put a backslash before one that stands for itself", parameter, err)
}

// isStopped reports whether an error ends the call with a result.
func isStopped(err error) bool {
	_, ok := errors.AsType[*stopped](err)
	return ok
}
