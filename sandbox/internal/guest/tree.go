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
// which Linux has not used since 2.4.25, is the job's number below the guest's pid. Children
// inherit it, whatever session or group they move to, whoever becomes their parent and
// whichever variables they clear. The guest sets its own before each fork. A process can
// only lower it, and the guest counts down: a number below the last job's is no job's, so
// whoever has one has forged it, and the sandbox ends.

// Resource limits by number: asm-generic/resource.h.
const (
	rlimitNproc = 6
	rlimitLocks = 10
)

// beginTags sets where the tags begin: another guest of the same user has others.
func (a *jobs) beginTags() {
	a.untagged = a.limits[rlimitLocks].Max
	a.lastTag.Store(min(uint64(os.Getpid())<<32|(1<<32-1), a.untagged))
	a.prefix = a.lastTag.Load() >> 32
}

// nextTag gives the next child its tag. a.mu is held.
func (a *jobs) nextTag() (uint64, error) {
	// Whoever finds a process of that tag finds the number in lastTag.
	tag := a.lastTag.Add(^uint64(0))
	r := syscall.Rlimit{Cur: tag, Max: tag}
	if err := prlimit(0, rlimitLocks, &r, nil); err != nil {
		return 0, os.NewSyscallError("prlimit", err)
	}
	a.limits[rlimitLocks] = r
	return tag, nil
}

// forged reports whether a tag is one that no job of this guest has or had, and no other
// guest's.
func (a *jobs) forged(tag uint64) bool {
	return tag>>32 == a.prefix && tag < a.lastTag.Load() || tag>>32 == 0 && a.prefix > 0
}

// prlimit sets and gets a limit of a process, 0 being this one. It is permitted for every
// process of the same user.
func prlimit(pid, resource int, set, old *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// each calls f with the pid and the tag of every process but this one that has a tag. It
// stops where f returns false. A tag that is forged ends the sandbox.
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

// alive reports whether a process is more than an entry that waits to be reaped. The
// first thread of a process may have ended before the others: it is then shown as a
// zombie with more than one thread.
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// pid (name) state ppid ... : the name may hold anything. The state is field 3, the
	// number of threads field 20.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 18 {
		return true
	}
	dead := f[0][0] == 'Z' || f[0][0] == 'X'
	return !dead || string(f[17]) != "1" && string(f[17]) != "0"
}

// runnable reports whether a process is on a cpu or waits for one.
func runnable(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && bytes.Contains(b[bytes.LastIndexByte(b, ')')+1:], []byte(" R "))
}

// leftBehind reports whether a process of another job runs, such as one that was started
// in the background.
func (a *jobs) leftBehind(tag uint64) (found bool) {
	err := a.each(func(pid int, t uint64) bool {
		found = t != tag && pid != a.canary && alive(pid)
		return !found
	})
	return found || err != nil
}

// resume continues the processes of a job that are stopped: a child between fork and exec
// which another job stopped would hold up every start.
func (j *job) resume() {
	pids, _ := j.tree()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// halt stops the processes of the job that it finds, until it finds no new one or more is
// false, and returns them. One that was about to fork may still have done so. That a pid
// is used again between the look at it and the signal would take the kernel a round
// through all its numbers in that time.
func (j *job) halt(more func() bool) map[int]bool {
	stopped := make(map[int]bool)
	for before := -1; len(stopped) > before; {
		before = len(stopped)
		// Each as it is found: every one that is stopped leaves the guest more of the cpu.
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

// term sends SIGTERM to the processes of the job, within some time. None of them runs
// before all have it: a child that is forked meanwhile would not get it, and one that a
// handler starts to clean up is not to.
func (j *job) term(deadline time.Time) {
	more := func() bool { return time.Now().Before(deadline) }
	var stopped map[int]bool
	// Whoever is inside fork ends that before it stops: look again once all have stopped.
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

// gone reports whether no process of the job is left. A scan can miss a child whose
// number is below that of a parent which ended meanwhile, so it takes two.
func (j *job) gone() bool {
	for range 2 {
		if pids, err := j.tree(); len(pids) > 0 || err != nil {
			return false
		}
	}
	return true
}

// kill ends every process of the job and returns when none is left.
func (j *job) kill() {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		// All are stopped before the first dies: each that dies makes room below the pids
		// limit for those that still fork.
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

// killAll ends what is left of all jobs.
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
