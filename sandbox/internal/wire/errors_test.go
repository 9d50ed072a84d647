package wire

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestCodeOf(t *testing.T) {
	_, missing := os.Stat("testdata/missing")
	for name, test := range map[string]struct {
		err  error
		want Code
	}{
		"an Error":             {fmt.Errorf("op: %w", Invalid("bad %d", 1)), CodeInvalid},
		"a file system's":      {missing, CodeNotExist},
		"a number":             {&fs.PathError{Op: "rmdir", Path: "d", Err: syscall.ENOTEMPTY}, CodeNotEmpty}, // and no CodeExist
		"a number inside":      {fmt.Errorf("op: %w", os.NewSyscallError("mkdir", syscall.EACCES)), CodePermission},
		"without a number":     {fs.ErrExist, CodeExist},
		"of a closed file":     {fs.ErrInvalid, CodeInvalid},
		"an unknown number":    {syscall.EPIPE, CodeIO},
		"none of these":        {io.ErrUnexpectedEOF, CodeIO},
		"a refused connection": {os.NewSyscallError("connect", syscall.ECONNREFUSED), CodeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(CodeOf(test.err), test.want)
		})
	}
	t.Run("text", func(t *testing.T) {
		is := is.New(t)
		var e *Error
		is.True(errors.As(error(Errorf(CodeBusy, "job %d is busy", 7)), &e))
		is.Equal(e.Code, CodeBusy)
		is.Equal(e.Error(), "job 7 is busy")
	})
}
