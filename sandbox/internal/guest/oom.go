//go:build linux

package guest

import (
	"bytes"
	"os"
	"strconv"
)

// oomCounter reads how many processes of the container the kernel has killed to get memory
// back.
type oomCounter struct{ f *os.File }

// openOOMCounter opens the file of the container's own cgroup, of version 2 or 1. The path in
// /proc/self/cgroup does not exist inside with version 1; the mount shows the own one.
func openOOMCounter(root string) *oomCounter {
	for _, name := range []string{"memory.events", "memory/memory.oom_control"} {
		if f, err := os.Open(root + name); err == nil {
			return &oomCounter{f}
		}
	}
	return &oomCounter{}
}

// kills returns the count, or 0 if it is not known.
func (o *oomCounter) kills() int64 {
	if o.f == nil {
		return 0
	}
	var buf [512]byte
	n, _ := o.f.ReadAt(buf[:], 0)
	_, rest, found := bytes.Cut(buf[:n], []byte("oom_kill "))
	if !found {
		return 0
	}
	number, _, _ := bytes.Cut(rest, []byte("\n"))
	kills, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return kills
}
