//go:build linux

package guest

import "syscall"

// limitNames are the names of the resource limits in the order of their numbers:
// asm-generic/resource.h.
var limitNames = [16]string{"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile",
	"memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"}

// ownLimits are the resource limits that the guest itself has to have.
type ownLimits [len(limitNames)]syscall.Rlimit

func readOwnLimits() *ownLimits {
	l := &ownLimits{}
	for i := range l {
		// A kernel that does not know a limit answers the same the next time.
		_ = prlimit(0, i, nil, &l[i])
	}
	return l
}

// changed returns the name of a limit that is not what it was, or "".
func (l *ownLimits) changed() string {
	now := readOwnLimits()
	for i := range now {
		if now[i] != l[i] {
			return limitNames[i]
		}
	}
	return ""
}
