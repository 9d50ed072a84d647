//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// discardInput drops typed input that was not read: see input_linux.go.
func discardInput(f *os.File) {
	// An error means that f is gone or no terminal: nothing to drop. The 1 is FREAD.
	_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCFLUSH, 1)
}
