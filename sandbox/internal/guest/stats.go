//go:build linux

package guest

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// stats reads the container's own cgroup, which the engine mounts read-only: one tree with
// version 2, one for each controller with version 1.
func (c *call) stats(*struct{}) (any, error) {
	const root = "/sys/fs/cgroup/"
	s := &wire.Stats{Elapsed: int64(time.Since(c.s.started)), DiskUsed: -1, DiskSize: -1}
	if _, err := os.Stat(root + "cgroup.controllers"); err == nil {
		s.Memory, s.MemoryLimit = readNumber(root+"memory.current"), readLimit(root+"memory.max")
		s.PIDs, s.PIDsLimit = readNumber(root+"pids.current"), readLimit(root+"pids.max")
		s.CPU = readField(root+"cpu.stat", "usage_usec")
		if s.CPU > 0 {
			s.CPU *= int64(time.Microsecond)
		}
		s.Memory = withoutCache(s.Memory, readField(root+"memory.stat", "inactive_file"))
	} else {
		s.Memory, s.MemoryLimit = readNumber(root+"memory/memory.usage_in_bytes"), readLimit(root+"memory/memory.limit_in_bytes")
		s.PIDs, s.PIDsLimit = readNumber(root+"pids/pids.current"), readLimit(root+"pids/pids.max")
		s.CPU = readNumber(root + "cpuacct/cpuacct.usage")
		s.Memory = withoutCache(s.Memory, readField(root+"memory/memory.stat", "total_inactive_file"))
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(c.s.dir, &fs); err == nil {
		s.DiskUsed = int64(fs.Blocks-fs.Bfree) * fs.Bsize
		s.DiskSize = int64(fs.Blocks) * fs.Bsize
	}
	return s, nil
}

// withoutCache subtracts the cache that the kernel can drop from the memory in use, as docker
// stats does.
func withoutCache(used, cache int64) int64 {
	if used > cache && cache > 0 {
		return used - cache
	}
	return used
}

// readNumber reads a file with one number in it, or returns -1.
func readNumber(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// readLimit reads a limit. One that says "max", or is larger than any machine, is 0: none.
func readLimit(file string) int64 {
	if n := readNumber(file); n > 0 && n < 1<<60 {
		return n
	}
	return 0
}

// readField reads the number after a name in a file with a name and a number a line, or returns
// -1.
func readField(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == name {
			if n, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}
