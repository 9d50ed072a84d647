package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// What errors.Is finds in an *Error, besides fs.ErrNotExist, fs.ErrExist,
// fs.ErrPermission and fs.ErrInvalid for files and commands, the cause of a context, and
// the sentinels of package dockercli for the engine.
var (
	// ErrClosed: the sandbox was closed.
	ErrClosed = errors.New("sandbox is closed")
	// ErrLost: the sandbox ended by itself: its container was removed or killed, its
	// memory ran out with the guest's, or the connection to its engine broke.
	ErrLost = errors.New("sandbox lost")
	// ErrEngine: the engine failed, or cannot be reached any more.
	ErrEngine = errors.New("the engine failed")
	// ErrUser: a command asked for a user that Options.Users does not name, or the image
	// does not know.
	ErrUser = errors.New("user not available")
	// ErrNoImage: an image is not on the engine and must not or cannot be fetched.
	ErrNoImage = errors.New("image not found")
	// ErrInUse: a container uses an image that was to be removed.
	ErrInUse = errors.New("in use")
	// ErrNoVolume: there is no volume of that name.
	ErrNoVolume = errors.New("volume not found")
	// ErrOffline: the image would have to be pulled or built, and the caller said offline.
	ErrOffline = errors.New("offline")
	// ErrTooLarge: more bytes than the limit.
	ErrTooLarge = errors.New("too large")
	// ErrUnsafe: an entry of a tree that could do harm where it is extracted.
	ErrUnsafe = errors.New("unsafe")
)

// errStuck is the reason of a sandbox whose guest did not end a command.
var errStuck = fmt.Errorf("the guest did not end a command within %v", overdue)

// Error is what the functions of this package return.
type Error struct {
	Op   string // such as "open", "exec", "read"
	Name string // the file, command, image or option it is about; may be empty
	// Code is the kind of failure, or empty where none of the codes fits: the engine or the
	// context failed, or the sandbox is gone.
	Code Code
	Err  error
}

// Code says what kind of failure an Error is, in the same words on every platform. It is
// safe to store and to send on: these strings do not change.
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
	CodeReset           = Code(wire.CodeReset)   // the server gave the connection up
	CodeInvalid         = Code(wire.CodeInvalid) // an option or an argument: fs.ErrInvalid
	CodeUnsupported     = Code(wire.CodeUnsupported)
	CodeAborted         = Code(wire.CodeAborted) // the operation was given up half way
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

// Timeout reports whether a deadline was the reason; it makes an Error a net.Error.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary is Timeout, for net.Error.
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
}

// Is makes errors.Is find the standard error of a Code.
func (e *Error) Is(target error) bool {
	want, ok := codeErrors[e.Code]
	return ok && want == target
}

// failure makes the error of an operation from what the channel or a context gave.
func (sb *Sandbox) failure(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	e := &Error{Op: op, Name: name, Err: err}
	var remote *wire.Error
	var violation *wire.ProtocolError
	var ended *channel.EndError
	if errors.As(err, &violation) {
		sb.ch.Fail(err) // where it was in what the channel only carries
	}
	switch {
	case errors.As(err, &remote):
		e.Code = Code(remote.Code)
		e.Err = errors.New(printable(remote.Text))
	case errors.Is(err, channel.ErrClosed):
		e.Err = ErrClosed
	case !sb.broken():
	case errors.As(err, &violation), errors.As(err, &ended), errors.Is(err, channel.ErrSilent), errors.Is(err, errStuck),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		sb.ch.Err() != nil && errors.Is(err, sb.ch.Err()): // such as a read that failed
		// The reason is known once the container is gone, which takes bounded time.
		<-sb.over
		e.Err = sb.Err()
	}
	return e
}

// broken reports whether the connection to a guest has ended, and with it the sandbox.
func (sb *Sandbox) broken() bool {
	return sb.ch.Err() != nil ||
		slices.ContainsFunc(sb.userChannels(), func(ch *channel.Channel) bool { return ch.Err() != nil })
}

// printable is text of the guest without what could steer a terminal, and bounded.
func printable(text string) string {
	const limit = 4 << 10
	if len(text) > limit {
		text = text[:limit] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}
