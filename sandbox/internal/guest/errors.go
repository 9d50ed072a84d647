//go:build linux

package guest

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

var codes = map[syscall.Errno]wire.Code{
	syscall.ENOENT:       wire.CodeNotExist,
	syscall.EEXIST:       wire.CodeExist,
	syscall.EACCES:       wire.CodePermission,
	syscall.EPERM:        wire.CodePermission,
	syscall.EROFS:        wire.CodeReadOnly,
	syscall.EISDIR:       wire.CodeIsDir,
	syscall.ENOTDIR:      wire.CodeNotDir,
	syscall.ENOTEMPTY:    wire.CodeNotEmpty,
	syscall.ENAMETOOLONG: wire.CodeNameTooLong,
	syscall.ELOOP:        wire.CodeLoop,
	syscall.ENOSPC:       wire.CodeNoSpace,
	syscall.EDQUOT:       wire.CodeNoSpace,
	syscall.EBUSY:        wire.CodeBusy,
	syscall.EXDEV:        wire.CodeCrossDevice,
	syscall.E2BIG:        wire.CodeTooLong,
	syscall.ENOEXEC:      wire.CodeNotExec,
	syscall.EAGAIN:       wire.CodeNoMemory,
	syscall.ENOMEM:       wire.CodeNoMemory,
	syscall.EINVAL:       wire.CodeInvalid,
	syscall.ENXIO:        wire.CodeNotRegular,
	syscall.ECONNREFUSED: wire.CodeRefused,
	syscall.ECONNRESET:   wire.CodeReset,
}

// wireError is err in the words of the protocol.
func wireError(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	var errno syscall.Errno
	code := wire.CodeIO
	if errors.As(err, &errno) {
		if c, ok := codes[errno]; ok {
			code = c
		}
	} else if errors.Is(err, fs.ErrInvalid) {
		code = wire.CodeInvalid
	}
	return &wire.Error{Code: code, Text: err.Error()}
}

// describe is wireError with what went wrong in front.
func describe(what string, err error) *wire.Error {
	e := wireError(err)
	return &wire.Error{Code: e.Code, Text: what + ": " + e.Text}
}
