package main

import (
	"os"
	"syscall"
)

var terminalSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// resizeSignal is what Windows does not have: a terminal keeps its first size.
var resizeSignal os.Signal
