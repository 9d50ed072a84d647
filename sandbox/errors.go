package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// The sentinels that errors.Is finds in an *Error. Others are fs.ErrNotExist, fs.ErrExist,
// fs.ErrPermission and fs.ErrInvalid for files and commands, errors.ErrUnsupported, the
// cause of a context, and those of packages engine and image.
var (
	// ErrClosed: this process closed or detached the sandbox.
	ErrClosed = errors.New("sandbox is closed")
	// ErrLost: the sandbox ended by itself. Its container was removed or killed, the kernel
	// killed its guest for lack of memory, or the connection to its engine broke.
	ErrLost = errors.New("sandbox lost")
	// ErrEngine: the engine cannot be reached, or went away during a call.
	ErrEngine = engine.ErrFailed
	// ErrUser: Command.User is not one of Options.Users, or the image does not know it.
	ErrUser = engine.ErrNoUser
	// ErrNoImage: an image is not on the engine and must not or cannot be fetched.
	ErrNoImage = engine.ErrNoImage
	// ErrOffline: the image would have to be pulled or built, and Options.Images is Offline.
	ErrOffline = image.ErrOffline
	// ErrTooLarge: the data has more bytes than a limit.
	ErrTooLarge = errors.New("too large")
	// ErrUnsafe: an entry of a tree could do harm where the tree is extracted.
	ErrUnsafe = errors.New("unsafe")
)

// errStuck is why a sandbox ended whose guest did not end a command.
var errStuck = fmt.Errorf("the guest did not end a command within %v", answerTimeout)

// Error is the error type of this package.
type Error struct {
	Op   string // such as "open", "exec", "read"
	Name string // the file, command, image or option it is about; may be empty
	// Code is the kind of failure. It is empty if the engine failed, the context ended or the
	// sandbox is gone: use errors.Is for those.
	Code Code
	Err  error
}

// Code is the kind of failure of an Error. The strings are the same on every platform and do
// not change, so they can be stored and sent on.
type Code string

// The codes. The first ones are named after the errno of the same meaning.
const (
	CodeNotExist        = Code(wire.CodeNotExist)
	CodeExist           = Code(wire.CodeExist)
	CodePermission      = Code(wire.CodePermission)
	CodeReadOnly        = Code(wire.CodeReadOnly) // the file system
	CodeIsDir           = Code(wire.CodeIsDir)
	CodeNotDir          = Code(wire.CodeNotDir)
	CodeNotEmpty        = Code(wire.CodeNotEmpty)
	CodeNameTooLong     = Code(wire.CodeNameTooLong)
	CodeLoop            = Code(wire.CodeLoop) // of symlinks
	CodeNoSpace         = Code(wire.CodeNoSpace)
	CodeBusy            = Code(wire.CodeBusy)
	CodeCrossDevice     = Code(wire.CodeCrossDevice)
	CodeNoMemory        = Code(wire.CodeNoMemory)   // or no room for another process
	CodeNotRegular      = Code(wire.CodeNotRegular) // a FIFO, a device or a socket where a file was wanted
	CodeUnsafe          = Code(wire.CodeUnsafe)     // could do harm where it is extracted: ErrUnsafe
	CodeTooLarge        = Code(wire.CodeTooLarge)   // more than a limit: ErrTooLarge
	CodeNoMatch         = Code(wire.CodeNoMatch)    // of an edit: ErrNoMatch
	CodeManyMatches     = Code(wire.CodeManyMatches)
	CodeChanged         = Code(wire.CodeChanged)   // since it was read: ErrChanged
	CodeTooLong         = Code(wire.CodeTooLong)   // a command's arguments and environment
	CodeCommandNotFound = Code(wire.CodeNoCommand) // not CodeNotExist, which may be its work dir
	CodeNotExecutable   = Code(wire.CodeNotExec)
	CodeNoJob           = Code(wire.CodeNoJob)
	CodeRefused         = Code(wire.CodeRefused) // nobody listens on the port
	CodeReset           = Code(wire.CodeReset)   // the server reset the connection
	CodeInvalid         = Code(wire.CodeInvalid) // an option or an argument: fs.ErrInvalid
	CodeUnsupported     = Code(wire.CodeUnsupported)
	CodeAborted         = Code(wire.CodeAborted) // the operation was canceled half way
	CodeIO              = Code(wire.CodeIO)      // another error of the operating system inside
)

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Op + ": " + e.Err.Error()
	}
	name := e.Name
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` && e.Op != "exec" {
		name = quoted // it would break the line, or steer a terminal
	}
	return fmt.Sprintf("%s %s: %s", e.Op, name, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a deadline was the reason. It makes an Error a net.Error.
func (e *Error) Timeout() bool {
	type timeout interface {
		error
		Timeout() bool
	}
	t, ok := errors.AsType[timeout](e.Err)
	return ok && t.Timeout()
}

// Temporary is Timeout. It is there for net.Error alone.
//
// Deprecated: use Timeout, as with any net.Error.
func (e *Error) Temporary() bool { return e.Timeout() }

var codeErrors = map[Code]error{
	CodeNotExist:        fs.ErrNotExist,
	CodeCommandNotFound: fs.ErrNotExist,
	CodeExist:           fs.ErrExist,
	CodePermission:      fs.ErrPermission,
	CodeReadOnly:        fs.ErrPermission,
	CodeInvalid:         fs.ErrInvalid,
	CodeTooLarge:        ErrTooLarge,
	CodeUnsafe:          ErrUnsafe,
	CodeNoJob:           ErrNoJob,
	CodeNoMatch:         ErrNoMatch,
	CodeManyMatches:     ErrManyMatches,
	CodeChanged:         ErrChanged,
	CodeRefused:         syscall.ECONNREFUSED,
	CodeReset:           syscall.ECONNRESET,
	CodeUnsupported:     errors.ErrUnsupported,
}

// Is reports whether target is the error that stands for e.Code, for errors.Is.
func (e *Error) Is(target error) bool {
	want, ok := codeErrors[e.Code]
	return ok && want == target
}

// invalid returns the error for an option or an argument that cannot be used. failure adds the
// operation and the name.
func invalid(format string, args ...any) error {
	return &Error{Code: CodeInvalid, Err: fmt.Errorf(format, args...)}
}

// invalidOptions marks an error of Options.resolve as invalid, if it is not already.
func invalidOptions(err error) error {
	if known, ok := err.(*Error); ok && known.Op == "" {
		return known
	}
	return invalid("%w", err)
}

// unsupported returns the error for an operation that a sandbox of this kind does not have.
// failure adds the operation and the name.
func unsupported(format string, args ...any) error {
	return &Error{Code: CodeUnsupported, Err: fmt.Errorf(format, args...)}
}

// failure returns the error of an operation, made from an error of the engine, the guest or a
// context. It returns nil for nil, and an error of another operation unchanged.
func failure(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := err.(*Error); ok && known.Op == "" {
		return &Error{Op: op, Name: name, Code: known.Code, Err: known.Err}
	}
	if _, known := errors.AsType[*Error](err); known {
		return err
	}
	e := &Error{Op: op, Name: name, Err: err}
	if remote, ok := errors.AsType[*wire.Error](err); ok {
		e.Code = Code(remote.Code)
		e.Err = errors.New(printable.Text(remote.Text))
	} else if errors.Is(err, errors.ErrUnsupported) {
		e.Code = CodeUnsupported
	}
	return e
}

// failure is the function failure for an operation of this sandbox. If the sandbox has ended
// under the operation, the error is the reason, ErrClosed or ErrLost.
func (sb *Sandbox) failure(op, name string, err error) error {
	if known, ok := errors.AsType[*Error](err); ok && known.Op != "" {
		return err
	}
	err = failure(op, name, err)
	e, ok := err.(*Error)
	if !ok || e.Code != "" {
		return err
	}
	_, violation := errors.AsType[*wire.ProtocolError](err)
	_, ended := errors.AsType[*channel.EndError](err)
	if violation {
		sb.ch.Fail(e.Err) // the channel does not see violations in the bytes that it carries
	}
	switch {
	case errors.Is(err, channel.ErrClosed):
		e.Err = ErrClosed
	case !sb.broken():
	case violation, ended, errors.Is(err, channel.ErrSilent), errors.Is(err, errStuck),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		sb.ch.Err() != nil && errors.Is(err, sb.ch.Err()): // for example a failed read
		// The reason is known once the container is gone, which takes bounded time.
		<-sb.done
		e.Err = sb.Err()
	}
	return err
}

// broken reports whether the connection to a guest has ended. The sandbox ends with it.
func (sb *Sandbox) broken() bool {
	return sb.ch.Err() != nil ||
		slices.ContainsFunc(sb.userChannels(), func(ch *channel.Channel) bool { return ch.Err() != nil })
}
