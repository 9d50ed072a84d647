//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// discardInput forgets what was typed and not read: see input_linux.go.
func discardInput(f *os.File) {
	// What is gone or no terminal has nothing to forget. The 1 is FREAD.
	_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCFLUSH, 1)
}
