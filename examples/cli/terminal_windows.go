package main

import (
	"os"
	"syscall"
)

var terminalSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// resizeSignal is nil, because Windows has none: a terminal keeps its first size.
var resizeSignal os.Signal
