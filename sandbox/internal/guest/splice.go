//go:build linux

package guest

import (
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// hostStream is a stream to the host over a pipe to which the kernel can move the bytes of
// another pipe, without a copy through the guest: splice(2).
type hostStream struct {
	*wire.Stream
	splicer *splicer     // nil where it cannot
	end     func(string) // ends the sandbox
}

// splicer is how whole frames get to a connection by splice: they are put together in a
// pipe between, because who reads the connection would wake up for a header alone.
type splicer struct {
	out           syscall.RawConn // does not block
	between, into int             // read and write end
	files         [2]*os.File     // close them with the last that uses them
}

// enoughToSplice is how many bytes have to be there for splice to be worth it: less is
// read and written faster.
const enoughToSplice = 32 << 10

// splice moves what is in the pipe from, as long as that is plenty and nobody has closed
// enough. The rest is for a read.
func (h *hostStream) splice(from syscall.RawConn, enough <-chan struct{}) error {
	for {
		select {
		case <-enough:
			return nil
		default:
		}
		there, err := unread(from)
		if err != nil || there < enoughToSplice {
			return err
		}
		// As long as a Buffer's frame, for the same reason.
		const maxFrame = len(wire.Buffer{}) - wire.HeaderSize
		if err := h.WriteVia(min(there, maxFrame), func(header []byte, n int) error { return h.move(from, header, n) }); err != nil {
			return err
		}
	}
}

// unread returns how many bytes are in a pipe.
func unread(pipe syscall.RawConn) (int, error) {
	var n int32
	err := pipe.Control(func(fd uintptr) { _ = ioctl(int(fd), syscall.TIOCINQ, unsafe.Pointer(&n)) })
	return int(n), err
}

// move sends a frame of n bytes that are in a pipe.
func (h *hostStream) move(from syscall.RawConn, header []byte, n int) error {
	w := h.splicer
	if _, err := syscall.Write(w.into, header); err != nil {
		return err
	}
	err := from.Control(func(in uintptr) {
		for remaining := n; remaining > 0; {
			moved, err := syscall.Splice(int(in), nil, w.into, nil, remaining, 0)
			switch {
			case err == syscall.EINTR:
			case err != nil || moved == 0:
				// There were that many, and no reader but the guest but one that a process made of
				// its own output.
				h.end("a process in the sandbox took its output back")
			default:
				remaining -= int(moved)
			}
		}
	})
	for remaining := len(header) + n; remaining > 0 && err == nil; {
		var moved int64
		var failed error
		if err = w.out.Write(func(out uintptr) bool {
			moved, failed = syscall.Splice(w.between, nil, int(out), nil, remaining, 0)
			return failed != syscall.EAGAIN
		}); err == nil && failed != syscall.EINTR {
			err = failed
		}
		remaining -= int(max(0, moved))
	}
	runtime.KeepAlive(w)
	return err
}

// newSplicer returns the way to w, or nil where w is no pipe or socket that does not block.
func newSplicer(w io.Writer) *splicer {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	waits := true
	if err := raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
		waits = errno != 0 || flags&syscall.O_NONBLOCK == 0
	}); err != nil || waits {
		return nil
	}
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil
	}
	// A header takes a page of its own here, and so may what was written in small pieces.
	if widen(fds[1]) != pipeSize {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil
	}
	return &splicer{out: raw, between: fds[0], into: fds[1],
		files: [2]*os.File{os.NewFile(uintptr(fds[0]), "between"), os.NewFile(uintptr(fds[1]), "between")}}
}
