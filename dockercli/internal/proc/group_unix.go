//go:build unix

package proc

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the child the leader of a process group: a signal to the group reaches the child's
// helpers as well, and a Ctrl-C at the terminal reaches none of them.
func ownGroup(x *exec.Cmd) {
	if x.SysProcAttr == nil {
		x.SysProcAttr = &syscall.SysProcAttr{}
	}
	x.SysProcAttr.Setpgid = true
	x.SysProcAttr.Pgid = 0
}

func exists(p *os.Process) bool { return p.Signal(syscall.Signal(0)) == nil }

func termGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGTERM) }

func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
