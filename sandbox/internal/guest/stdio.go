//go:build linux

package guest

import (
	"os"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// stdio is the standard files of a command and its control socket: the child's ends and
// ours.
type stdio struct {
	child                          []uintptr
	opened                         []int // the child's ends that are open here
	stdin, stdout, stderr, control *os.File
	terminal                       *os.File // nil for a command without one; else stdin and stdout, too
}

func openStdio(m *wire.Exec) (_ *stdio, err error) {
	f := &stdio{child: make([]uintptr, 3, 5)}
	defer func() {
		if err != nil {
			f.closeChild()
			f.closeOurs()
			err = describe("pipe", err)
		}
	}()
	if m.Terminal != nil {
		err = f.openTerminal(*m.Terminal)
	} else {
		err = f.openPipes(m)
	}
	if err == nil && m.Control {
		err = f.openControl()
	}
	return f, err
}

func (f *stdio) openPipes(m *wire.Exec) (err error) {
	if m.Stdin {
		f.stdin, f.child[0], err = f.pipe(true)
	} else {
		var fd int
		// For writing, too: a program that writes to its stdin by mistake must not fail.
		fd, err = syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err == nil {
			f.opened = append(f.opened, fd)
			f.child[0] = uintptr(fd)
		}
	}
	if err != nil {
		return err
	}
	if f.stdout, f.child[1], err = f.pipe(false); err != nil {
		return err
	}
	if m.Join {
		f.child[2] = f.child[1]
		return nil
	}
	f.stderr, f.child[2], err = f.pipe(false)
	return err
}

// pipe makes a pipe. One end is the child's. Ours does not block: a blocked thread for each
// pipe would run into the pids limit.
func (f *stdio) pipe(childReads bool) (ours *os.File, child uintptr, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, 0, err
	}
	c, o := fds[1], fds[0]
	if childReads {
		c, o = o, c
	}
	f.opened = append(f.opened, c)
	if err := syscall.SetNonblock(o, true); err != nil {
		syscall.Close(o)
		return nil, 0, err
	}
	return os.NewFile(uintptr(o), "pipe"), uintptr(c), nil
}

// pipeSize is the largest size that an unprivileged process may give a pipe, in bytes. It is no
// less than a stream's window.
const pipeSize = 1 << 20

// widen gives a pipe that size and returns the size that it has. Each time that a pipe runs
// full, its writer has to be woken again. The kernel can refuse, beyond a user's share of such
// memory; the pipe is then slower and no less right.
func widen(fd int) int {
	const setPipeSize, getPipeSize = 1031, 1032 // F_SETPIPE_SZ and F_GETPIPE_SZ, of fcntl(2)
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), setPipeSize, pipeSize)
	size, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), getPipeSize, 0)
	return int(size)
}

func (f *stdio) openControl() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f.opened = append(f.opened, fds[1])
	f.child = append(f.child, uintptr(fds[1]))
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		return err
	}
	f.control = os.NewFile(uintptr(fds[0]), "control")
	return nil
}

func (f *stdio) closeChild() {
	for _, fd := range f.opened {
		syscall.Close(fd)
	}
	f.opened = nil
}

// closeOurs closes our ends if the command did not start. Otherwise the goroutines that read
// and write them do.
func (f *stdio) closeOurs() {
	for _, file := range []*os.File{f.stdin, f.stdout, f.stderr, f.control} {
		if file != nil {
			file.Close() // stdin and stdout may be one terminal, which is closed once
		}
	}
}
