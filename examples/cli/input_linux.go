package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// discardInput drops typed input that was not read. A program inside can make the terminal type an
// answer, which the next shell would take for a command.
func discardInput(f *os.File) {
	// An error means that f is gone or no terminal: nothing to drop.
	_ = unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
