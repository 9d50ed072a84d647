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
	// Code is the kind of a failure inside the sandbox, or empty: not_exist, exist,
	// permission, read_only, is_dir, not_dir, not_empty, name_too_long, loop, no_space,
	// busy, cross_device, not_regular, unsafe, too_large, no_match, many_matches, changed,
	// arguments_too_long, command_not_found,
	// not_executable, no_memory, no_job, refused, reset (a connection), invalid (an option or an
	// argument), unsupported, aborted, io.
	Code string
	Err  error
}

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

var codeErrors = map[wire.Code]error{
	wire.CodeNotExist:    fs.ErrNotExist,
	wire.CodeNoCommand:   fs.ErrNotExist,
	wire.CodeExist:       fs.ErrExist,
	wire.CodePermission:  fs.ErrPermission,
	wire.CodeReadOnly:    fs.ErrPermission,
	wire.CodeInvalid:     fs.ErrInvalid,
	wire.CodeTooLarge:    ErrTooLarge,
	wire.CodeUnsafe:      ErrUnsafe,
	wire.CodeNoJob:       ErrNoJob,
	wire.CodeNoMatch:     ErrNoMatch,
	wire.CodeManyMatches: ErrManyMatches,
	wire.CodeChanged:     ErrChanged,
	wire.CodeRefused:     syscall.ECONNREFUSED,
	wire.CodeReset:       syscall.ECONNRESET,
}

// Is makes errors.Is find the standard error of a Code.
func (e *Error) Is(target error) bool {
	want, ok := codeErrors[wire.Code(e.Code)]
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
		e.Code = string(remote.Code)
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
