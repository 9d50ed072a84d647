package sandbox_test

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/drydock-go/drydock/sandbox"
)

// child is set in the processes that are killed: to 1 in TestEndsWithItsProcess, to a
// sandbox's name in TestLeaseOutlivesItsProcess.
const child = "DRYDOCK_TEST_CHILD"

func TestMain(m *testing.M) {
	switch name := os.Getenv(child); name {
	case "":
	case "1":
		holdSandbox()
	default:
		leaveSandbox(name)
	}
	flag.Parse()
	if run := flag.Lookup("test.run"); os.Getenv("DRYDOCK_TEST_ENGINE") == "" && run.Value.String() == "" {
		// Examples cannot skip, and all of this package's need an engine.
		if err := run.Value.Set("^(Test|Fuzz)"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// codeOf returns the Code of an error of this package, or "".
func codeOf(err error) sandbox.Code {
	if e, ok := errors.AsType[*sandbox.Error](err); ok {
		return e.Code
	}
	return ""
}
