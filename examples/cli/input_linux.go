package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// discardInput forgets what was typed and not read: a program inside can make the terminal
// type an answer to it, which the shell that comes next would take for a command.
func discardInput(f *os.File) {
	// What is gone or no terminal has nothing to forget.
	_ = unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
