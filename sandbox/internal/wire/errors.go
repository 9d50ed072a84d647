package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
)

// Error is an operation that failed.
type Error struct {
	Code Code
	// Text is for people.
	Text string
	// Name is the entry of a tree that the error is about, or nil.
	Name []byte `json:",omitempty"`
}

func (e *Error) Error() string { return e.Text }

// Errorf returns an Error of a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Invalid returns an Error of CodeInvalid: an argument that no call can have.
func Invalid(format string, args ...any) *Error { return Errorf(CodeInvalid, format, args...) }

// Code is the kind of an error, in the same words on every system.
type Code string

// The codes. The first ones mean what the errno of that name does.
const (
	CodeNotExist    Code = "not_exist"
	CodeExist       Code = "exist"
	CodePermission  Code = "permission"
	CodeReadOnly    Code = "read_only"
	CodeIsDir       Code = "is_dir"
	CodeNotDir      Code = "not_dir"
	CodeNotEmpty    Code = "not_empty"
	CodeNameTooLong Code = "name_too_long"
	CodeLoop        Code = "loop"
	CodeNoSpace     Code = "no_space"
	CodeBusy        Code = "busy"
	CodeCrossDevice Code = "cross_device"
	CodeNotRegular  Code = "not_regular" // a FIFO, a device or a socket in place of a file
	CodeTooLarge    Code = "too_large"
	CodeNoMatch     Code = "no_match"
	CodeManyMatches Code = "many_matches"
	CodeChanged     Code = "changed"
	CodeTooLong     Code = "arguments_too_long"
	CodeNoCommand   Code = "command_not_found" // CodeNotExist may be its working directory
	CodeNotExec     Code = "not_executable"
	CodeNoMemory    Code = "no_memory" // or no room for another process
	CodeNoJob       Code = "no_job"
	CodeInvalid     Code = "invalid"
	CodeUnsupported Code = "unsupported"
	CodeAborted     Code = "aborted"
	CodeIO          Code = "io"
)

// codes maps the errors of a kernel. Their numbers differ between systems, their names do not.
var codes = map[syscall.Errno]Code{
	syscall.ENOENT:       CodeNotExist,
	syscall.EEXIST:       CodeExist,
	syscall.EACCES:       CodePermission,
	syscall.EPERM:        CodePermission,
	syscall.EROFS:        CodeReadOnly,
	syscall.EISDIR:       CodeIsDir,
	syscall.ENOTDIR:      CodeNotDir,
	syscall.ENOTEMPTY:    CodeNotEmpty,
	syscall.ENAMETOOLONG: CodeNameTooLong,
	syscall.ELOOP:        CodeLoop,
	syscall.ENOSPC:       CodeNoSpace,
	syscall.EDQUOT:       CodeNoSpace,
	syscall.EBUSY:        CodeBusy,
	syscall.EXDEV:        CodeCrossDevice,
	syscall.E2BIG:        CodeTooLong,
	syscall.ENOEXEC:      CodeNotExec,
	syscall.EAGAIN:       CodeNoMemory,
	syscall.ENOMEM:       CodeNoMemory,
	syscall.EINVAL:       CodeInvalid,
	syscall.ENXIO:        CodeNotRegular,
	syscall.ECONNREFUSED: CodeRefused,
	syscall.ECONNRESET:   CodeReset,
}

// CodeOf returns the code of any error: that of an Error in its chain, or of an error of the
// operating system, or CodeIO.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		if code, ok := codes[errno]; ok {
			return code
		}
		const diskFull = syscall.Errno(112) // ERROR_DISK_FULL
		if runtime.GOOS == "windows" && errno == diskFull {
			return CodeNoSpace
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return CodeNotExist
	case errors.Is(err, fs.ErrExist):
		return CodeExist
	case errors.Is(err, fs.ErrPermission):
		return CodePermission
	case errors.Is(err, fs.ErrInvalid):
		return CodeInvalid
	}
	return CodeIO
}
