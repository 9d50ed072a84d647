package engine

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/dockercli"
)

// inheritedLimits returns this process's own limits on open files and processes, by the names
// of --ulimit.
func inheritedLimits() map[string]dockercli.Ulimit {
	const nproc = 6 // RLIMIT_NPROC, which package syscall leaves out
	limits := make(map[string]dockercli.Ulimit)
	add := func(name string, resource int, limit uint64) {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(resource, &r); err == nil {
			limits[name] = dockercli.Ulimit{Soft: int64(min(r.Cur, limit)), Hard: int64(min(r.Max, limit))}
		}
	}
	add("nofile", syscall.RLIMIT_NOFILE, 1<<20)
	// podman lowers its own limit on processes to the number of pids there are.
	pids := uint64(1 << 15)
	if b, err := os.ReadFile("/proc/sys/kernel/pid_max"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63); err == nil {
			pids = n
		}
	}
	add("nproc", nproc, pids)
	return limits
}
