package tools

import (
	"fmt"

	"github.com/drydock-go/drydock/sandbox"
)

// outcome describes the end of a command. It is empty if that exited with code 0.
func (c *call) outcome(r *sandbox.Result, seconds int) string {
	switch {
	case r.OK():
		return ""
	case r.Outcome == sandbox.TimedOut:
		return fmt.Sprintf("timed out after %d s and was killed: run it in the background with start_job", seconds) + c.longer(seconds)
	}
	return ending(r)
}

// longer recommends a longer timeout, unless it was the longest.
func (c *call) longer(seconds int) string {
	if _, maxSeconds := c.o.seconds(); seconds < maxSeconds {
		return fmt.Sprintf(", or raise timeout_seconds up to %d", maxSeconds)
	}
	return ""
}

// ending describes the end of a command.
func ending(r *sandbox.Result) string {
	switch r.Outcome {
	case sandbox.Exited:
		switch r.ExitCode {
		case 126:
			return "exit code 126: the program cannot be executed"
		case 127:
			return "exit code 127: a program was not found"
		case 137:
			return "exit code 137: a program was killed by SIGKILL, perhaps because memory ran out"
		}
		return fmt.Sprintf("exit code %d", r.ExitCode)
	case sandbox.Signaled:
		if r.Signal == "SIGKILL" {
			return "killed by SIGKILL, perhaps because memory ran out"
		}
		return "killed by " + r.Signal
	case sandbox.OutOfMemory:
		if r.Suspected {
			return "killed, probably because the memory of the sandbox ran out"
		}
		return "killed because the memory of the sandbox ran out"
	case sandbox.TimedOut:
		return "timed out and was killed"
	case sandbox.Canceled:
		if r.Rung == sandbox.RungKill {
			return "stopped by SIGKILL"
		}
		return "stopped by SIGTERM"
	}
	return "ended: " + string(r.Outcome)
}
