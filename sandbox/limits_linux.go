package sandbox

import (
	"math"
	"syscall"

	"github.com/drydock-go/drydock/dockercli"
)

// inheritedLimits are this process's own limits on open files and processes, in the
// words of --ulimit.
func inheritedLimits() map[string]dockercli.Ulimit {
	const nproc = 6 // RLIMIT_NPROC, which package syscall leaves out
	limits := make(map[string]dockercli.Ulimit)
	for name, resource := range map[string]int{"nofile": syscall.RLIMIT_NOFILE, "nproc": nproc} {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(resource, &r); err == nil {
			limits[name] = dockercli.Ulimit{Soft: limit(r.Cur), Hard: limit(r.Max)}
		}
	}
	return limits
}

// limit is -1 for a limit that is none.
func limit(n uint64) int64 {
	if n > math.MaxInt64 {
		return -1
	}
	return int64(n)
}
