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

// hostStream is a stream to the host. If the connection is a pipe, the kernel can move bytes to
// it from another pipe, without a copy through the guest: splice(2).
type hostStream struct {
	*wire.Stream
	splicer *splicer     // nil if that is not possible
	end     func(string) // ends the sandbox
}

// splicer moves whole frames to a connection by splice. It puts each together in a pipe
// between: the reader of the connection would otherwise wake up for the header alone.
type splicer struct {
	out           syscall.RawConn // does not block
	between, into int             // read and write end
	files         [2]*os.File     // close both with the last user of the splicer
}

// enoughToSplice is how many bytes make splice worth it. Fewer are read and written faster.
const enoughToSplice = 32 << 10

// splice moves what is in the pipe from, as long as that is plenty and done is not closed. The
// rest is for a read.
func (h *hostStream) splice(from syscall.RawConn, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		there, err := unread(from)
		if err != nil || there < enoughToSplice {
			return err
		}
		// As long as the frame of a Buffer, for the same reason.
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
				// So many bytes were there. Only a process that opened its own output for
				// reading can have taken them.
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

// newSplicer returns a splicer to w, or nil if w is not a pipe or a socket that does not block.
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
	// Each header takes a page of its own in it, and so may output written in small pieces.
	if widen(fds[1]) != pipeSize {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil
	}
	return &splicer{out: raw, between: fds[0], into: fds[1],
		files: [2]*os.File{os.NewFile(uintptr(fds[0]), "between"), os.NewFile(uintptr(fds[1]), "between")}}
}
