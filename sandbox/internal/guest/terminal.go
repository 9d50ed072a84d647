//go:build linux

package guest

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// openTerminal makes a pseudo-terminal: pty(7). The engine gives a container a devpts of its
// own.
func (f *stdio) openTerminal(size wire.Size) error {
	master, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	f.terminal = os.NewFile(uintptr(master), "terminal")
	f.stdin, f.stdout = f.terminal, f.terminal
	var unlock, number int32
	if err := ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)); err != nil {
		return err
	}
	if err := ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return err
	}
	name := "/dev/pts/" + strconv.Itoa(int(number))
	slave, err := syscall.Open(name, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f.opened = append(f.opened, slave)
	for i := range 3 {
		f.child[i] = uintptr(slave)
	}
	return resize(f.terminal, size)
}

// resize tells the programs on a terminal its size; the kernel sends them SIGWINCH.
func resize(terminal *os.File, size wire.Size) error {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return err
	}
	window := struct{ rows, cols, x, y uint16 }{rows: size.Rows, cols: size.Cols}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = ioctl(int(fd), syscall.TIOCSWINSZ, unsafe.Pointer(&window))
	}); err != nil {
		return err
	}
	return failed
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

// endOfInput is what a person types to end the input. It takes two: the first only hands over
// a line that was begun.
const endOfInput = "\x04\x04"
