package proc

import (
	"os"
	"syscall"
)

// widen makes a pipe as large as an unprivileged process may: each time that it runs full
// its writer has to be woken again.
func widen(pipe *os.File) {
	const setPipeSize, size = 1031, 1 << 20 // F_SETPIPE_SZ, of fcntl(2)
	if raw, err := pipe.SyscallConn(); err == nil {
		// Where it is refused the pipe is slower and no less right.
		_ = raw.Control(func(fd uintptr) { _, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, size) })
	}
}
