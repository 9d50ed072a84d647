package sandbox

import (
	"context"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Stats are the resources that a sandbox uses, as its container's cgroup counts them. A value
// that the engine does not show inside is -1. A limit of 0 means no limit.
type Stats struct {
	Memory, MemoryLimit int64 // bytes; file cache that the kernel can drop is not counted
	PIDs, PIDsLimit     int64 // processes and threads, the guest's included
	// CPUTime is that of all processes since the start. CPUPercent is the share of one cpu
	// since the last call of Stats, or since the start: 200 means two busy cpus.
	CPUTime    time.Duration
	CPUPercent float64
	// DiskUsed and DiskSize, in bytes, are those of the file system that holds the work dir.
	DiskUsed, DiskSize int64
}

// Stats returns the resources that the sandbox uses. It starts no process.
func (sb *Sandbox) Stats(ctx context.Context) (*Stats, error) {
	var now wire.Stats
	if err := sb.do(ctx, wire.OpStats, struct{}{}, &now); err != nil {
		return nil, sb.failure("stats", "", err)
	}
	sb.mu.Lock()
	before := sb.lastStats
	sb.lastStats = now
	sb.mu.Unlock()
	s := &Stats{
		Memory: now.Memory, MemoryLimit: now.MemoryLimit, PIDs: now.PIDs, PIDsLimit: now.PIDsLimit,
		CPUTime: time.Duration(now.CPU), DiskUsed: now.DiskUsed, DiskSize: now.DiskSize,
	}
	if elapsed := now.Elapsed - before.Elapsed; elapsed > 0 {
		s.CPUPercent = 100 * float64(now.CPU-before.CPU) / float64(elapsed)
	}
	return s, nil
}
