//go:build linux

package guest

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// A job's processes are found by a tag that they cannot lose: the hard limit RLIMIT_LOCKS,
// which Linux has not used since 2.4.25. Its upper half is the guest's pid, its lower half the
// job's number. The guest sets its own limit before each fork, and children inherit it, to
// whatever session or group they move, whoever becomes their parent and whichever variables
// they clear. A process can only lower the limit, and the guest counts down, so a number below
// that of the last job is forged. The sandbox then ends.

// Resource limits by number: asm-generic/resource.h.
const (
	rlimitNproc = 6
	rlimitLocks = 10
)

// beginTags sets where the tags begin. Another guest of the same user has other ones.
func (a *jobs) beginTags() {
	a.untagged = a.limits[rlimitLocks].Max
	a.lastTag.Store(min(uint64(os.Getpid())<<32|(1<<32-1), a.untagged))
	a.prefix = a.lastTag.Load() >> 32
}

// nextTag gives the next child its tag. a.mu is held.
func (a *jobs) nextTag() (uint64, error) {
	// lastTag first: a scan that finds a process of that tag must not take it for forged.
	tag := a.lastTag.Add(^uint64(0))
	r := syscall.Rlimit{Cur: tag, Max: tag}
	if err := prlimit(0, rlimitLocks, &r, nil); err != nil {
		return 0, os.NewSyscallError("prlimit", err)
	}
	a.limits[rlimitLocks] = r
	return tag, nil
}

// forged reports whether a tag is neither of a job that this guest has or had, nor of another
// guest's.
func (a *jobs) forged(tag uint64) bool {
	return tag>>32 == a.prefix && tag < a.lastTag.Load() || tag>>32 == 0 && a.prefix > 0
}

// prlimit sets and gets a resource limit of a process; pid 0 is this one. The kernel permits
// that for every process of the same user.
func prlimit(pid, resource int, set, old *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// each calls f with the pid and the tag of every other process that has a tag, until f returns
// false. A forged tag ends the sandbox.
func (a *jobs) each(f func(pid int, tag uint64) bool) error {
	d, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer d.Close()
	self := os.Getpid()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == self {
			continue
		}
		var r syscall.Rlimit
		if prlimit(pid, rlimitLocks, nil, &r) != nil || r.Max == a.untagged {
			continue
		}
		if a.forged(r.Max) && alive(pid) {
			a.end("a process in the sandbox changed the tag of its job")
		}
		if !f(pid, r.Max) {
			break
		}
	}
	return nil
}

// tree returns the pids of the job's processes that are not dead.
func (j *job) tree() (pids []int, err error) {
	err = j.all.each(func(pid int, tag uint64) bool {
		if tag == j.tag && alive(pid) {
			pids = append(pids, pid)
		}
		return true
	})
	return pids, err
}

// alive reports whether a process is more than an entry that waits to be reaped. If the first
// thread of a process ends before the others, it is shown as a zombie with several threads.
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// "pid (name) state ppid ...": the name may hold anything. The state is field 3, the
	// number of threads field 20.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 18 {
		return true
	}
	dead := f[0][0] == 'Z' || f[0][0] == 'X'
	return !dead || string(f[17]) != "1" && string(f[17]) != "0"
}

// runnable reports whether a process runs on a cpu or waits for one.
func runnable(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && bytes.Contains(b[bytes.LastIndexByte(b, ')')+1:], []byte(" R "))
}

// leftBehind reports whether a process of another job runs, such as one that a command left
// in the background.
func (a *jobs) leftBehind(tag uint64) (found bool) {
	err := a.each(func(pid int, t uint64) bool {
		found = t != tag && pid != a.canary && alive(pid)
		return !found
	})
	return found || err != nil
}

// resume continues the job's processes that are stopped. If another job stops a child between
// its fork and its exec, no other job can start.
func (j *job) resume() {
	pids, _ := j.tree()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// halt stops the processes of the job and returns them. It goes on until it finds no new one,
// or more returns false. A process that was about to fork may still have done so. A pid could
// be used again between the look at it and the signal only if the kernel went through all its
// numbers in that time.
func (j *job) halt(more func() bool) map[int]bool {
	stopped := make(map[int]bool)
	for before := -1; len(stopped) > before; {
		before = len(stopped)
		// Stop each as it is found: every one that stops leaves the guest more of the cpu.
		_ = j.all.each(func(pid int, tag uint64) bool {
			if tag != j.tag || stopped[pid] || !alive(pid) {
				return true
			}
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			stopped[pid] = true
			return more()
		})
	}
	return stopped
}

// term sends SIGTERM to the processes of the job before a deadline. It stops them first, so
// none runs before all have the signal: a child that was forked meanwhile would miss it, and a
// child that a handler starts to clean up must not get it.
func (j *job) term(deadline time.Time) {
	more := func() bool { return time.Now().Before(deadline) }
	var stopped map[int]bool
	// A process inside fork finishes that before it stops: look again once all have stopped.
	for quiet, before := false, 0; more(); {
		stopped = j.halt(more)
		if quiet && len(stopped) == before {
			break
		}
		quiet, before = !slices.ContainsFunc(slices.Collect(maps.Keys(stopped)), runnable), len(stopped)
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		for pid := range stopped {
			_ = syscall.Kill(pid, s)
		}
	}
}

// gone reports whether the job has no process any more. It takes two scans: one can miss a
// child whose number is below that of its parent, if the parent ended meanwhile.
func (j *job) gone() bool {
	for range 2 {
		if pids, err := j.tree(); len(pids) > 0 || err != nil {
			return false
		}
	}
	return true
}

// kill ends every process of the job and returns when there is none any more.
func (j *job) kill() {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		// Stop all before the first dies: each that dies makes room below the pids limit for
		// those that still fork.
		stopped := j.halt(func() bool { return true })
		for pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(stopped) == 0 && j.gone() {
			return
		}
		time.Sleep(pause)
	}
}

// killAll ends all processes that jobs left behind.
func (a *jobs) killAll() {
	for {
		var found uint64
		_ = a.each(func(pid int, tag uint64) bool {
			if tag>>32 == a.prefix && alive(pid) {
				found = tag
			}
			return found == 0
		})
		if found == 0 {
			return
		}
		(&job{all: a, tag: found}).kill()
	}
}
