package proc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup keeps a Ctrl-C at the console from reaching the child.
func ownGroup(x *exec.Cmd) {
	if x.SysProcAttr == nil {
		x.SysProcAttr = &syscall.SysProcAttr{}
	}
	x.SysProcAttr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP
}

// exists is always true here: os.Process refuses to signal a process that was waited for.
func exists(*os.Process) bool { return true }

// termGroup fails, since Windows has no TERM: the ladder goes on to the kill.
func termGroup(*os.Process) error { return errors.ErrUnsupported }

func killGroup(p *os.Process) error { return p.Kill() }
