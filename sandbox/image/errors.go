package image

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrOffline: the image would have to be pulled or built, and the Builder must not.
var ErrOffline = errors.New("offline")

// Error is the failure of a Builder's method. errors.Is finds in it ErrOffline, the
// sentinels of package engine, the cause of a context, and fs.ErrInvalid for an argument or
// a field that cannot be used.
type Error struct {
	Op   string // "prebuild", "list images", "prune", "export", "import"
	Name string // the runtime or the image; may be empty
	Err  error
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Op + ": " + e.Err.Error()
	}
	name := e.Name
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		name = quoted // it would break the line, or steer a terminal
	}
	return fmt.Sprintf("%s %s: %s", e.Op, name, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// BuildError is a build that failed.
type BuildError struct {
	// Image is the image in words: "runtime python-datascience".
	Image string
	// Step of Steps failed; both are 0 if that is not known.
	Step, Steps int
	// Text describes the step in words: "pip: install pandas".
	Text string
	// Instruction is its line of the Dockerfile.
	Instruction string
	// Lines are the last that it printed, at most 20, without terminal escapes.
	Lines []string
	// Err is the engine's error.
	Err error
}

func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s was not built", e.Image)
	if e.Step > 0 {
		fmt.Fprintf(&b, ": step %d of %d failed: %s", e.Step, e.Steps, e.Text)
	} else {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	for _, line := range e.Lines {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *BuildError) Unwrap() error { return e.Err }
