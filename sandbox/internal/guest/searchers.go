//go:build linux

package guest

import (
	"cmp"
	"runtime"
	"sync"
)

// searchMemory returns how many bytes a search may take for one purpose: the share-th part of
// the sandbox's memory, and at most maxBytes.
func searchMemory(share, maxBytes int) int {
	limit := memoryLimit()
	if limit == 0 {
		return maxBytes
	}
	return int(min(limit/int64(share), int64(maxBytes)))
}

var memoryLimit = sync.OnceValue(func() int64 {
	const root = "/sys/fs/cgroup/"
	return cmp.Or(readLimit(root+"memory.max"), readLimit(root+"memory/memory.limit_in_bytes"))
})

// searchers bounds the goroutines that search at the same time, for all calls together. That
// bounds the memory they take and the threads that wait for a disk.
var searchers = sync.OnceValue(func() chan struct{} {
	const each = 16 << 20
	return make(chan struct{}, max(searchMemory(each, 8), 2))
})

// running bounds those of them that compute to the number of cpus. The scheduler gets two more,
// on which the guest answers other calls meanwhile. Without them each answer would wait several
// times for the slice that the scheduler gives a goroutine, a hundredth of a second.
var running = sync.OnceValue(func() chan struct{} {
	cpus := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(cpus + 2)
	return make(chan struct{}, cpus)
})

// run does a little of a search when there is a cpu for it.
func (c *call) run(do func() error) error {
	select {
	case running() <- struct{}{}:
	case <-c.quit:
		return errAborted
	}
	defer func() { <-running() }()
	return do()
}

// yield lets others run while do waits for something.
func (c *call) yield(do func() error) error {
	<-running()
	defer func() { running() <- struct{}{} }()
	return do()
}
