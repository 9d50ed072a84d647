//go:build unix

package main

import (
	"os"
	"syscall"
)

// terminalSignals are the signals that end a program, which would then leave the terminal raw.
// SIGPIPE comes if stdout is a pipe that nobody reads any more.
var terminalSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE}

var resizeSignal os.Signal = syscall.SIGWINCH
