//go:build unix

package main

import (
	"os"
	"syscall"
)

// terminalSignals end a program that has the terminal, and would leave it raw. SIGPIPE is
// the end of a pipe that stdout is.
var terminalSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE}

var resizeSignal os.Signal = syscall.SIGWINCH
