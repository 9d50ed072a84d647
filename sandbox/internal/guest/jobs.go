//go:build linux

package guest

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// jobs starts processes and reaps those that end: its own and, as PID 1, every orphan. One
// loop owns wait: a second waiter would take exit codes away from it.
type jobs struct {
	started chan struct{} // wakes the reaper after it found no child
	limits  *ownLimits
	oom     *oomCounter
	procs   int64        // RLIMIT_NPROC of each job; 0 leaves it as it is
	end     func(string) // ends the sandbox for a reason

	// mu is held from before a fork until the child is registered, and around a kill, so no
	// pid is looked up before it is known, or signalled after it was reaped.
	mu      sync.Mutex
	running map[int]*job
	canary  int      // its pid, or 0
	score   *os.File // the guest's own oom_score_adj, opened before it became root's

	untagged uint64        // the limit of processes that no guest has started
	prefix   uint64        // the upper half of all tags
	lastTag  atomic.Uint64 // changes under mu
}

// job is a command: its first process, its process group, and the tree of all processes that
// came of it (see tree.go).
type job struct {
	all     *jobs
	pid     int
	tag     uint64
	started time.Time
	floor   int64 // peak memory of the guest at the fork, which the child's figure includes
	kills   int64 // by the out-of-memory killer before the start

	others bool // another job ran at the same time; guarded by jobs.mu

	exited      chan struct{} // closed by the reaper after the fields below are set
	ended       time.Time
	status      syscall.WaitStatus
	usage       syscall.Rusage
	outOfMemory bool

	// stop carries requests to end the job.
	stop chan ending
}

// ending is a request to end a job, and the reason.
type ending struct {
	why   cause
	now   bool          // without TERM
	grace time.Duration // 0 is the command's own
}

type cause int

const (
	timedOut cause = iota + 1
	canceled
	outputExceeded
)

// startJobs makes this process as safe from its jobs as one user's processes can be from
// each other, and starts the reaper.
func startJobs() (*jobs, error) {
	// The kernel spares PID 1 the signals that it has no handler for, but the Go runtime has
	// handlers, and those end the process. A process that takes every signal and does nothing
	// is spared all of them. To ignore signals instead would be inherited by every command.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals)
	go func() {
		for range signals {
		}
	}()
	// Descriptors that the engine's runtime left open are not for commands.
	const closeRange, cloexec = 436, 4 // close_range(2), which kernels before 5.11 do not have
	_, _, _ = syscall.RawSyscall(closeRange, 3, ^uintptr(0), cloexec)
	a := &jobs{started: make(chan struct{}, 1), running: make(map[int]*job), end: func(string) {}}
	// The score's file belongs to root once the process is undumpable: open it before.
	score, err := os.OpenFile("/proc/self/oom_score_adj", os.O_WRONLY, 0)
	if err == nil {
		a.score = score
	}
	a.oom = openOOMCounter("/sys/fs/cgroup/")
	a.limits = readOwnLimits()
	a.beginTags()
	if err := undumpable(); err != nil {
		return nil, err
	}
	reserveThreads()
	// Without a canary a kill of all other processes goes unnoticed; all else works.
	a.canary, _ = startCanary()
	go a.reap()
	return a, nil
}

// undumpable keeps processes of the same user out of this one's memory, environment and
// descriptors. Two of those are the channel.
func undumpable() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// guestThreads is how many threads the guest starts with: for the reaper, signals, the poller,
// garbage collection and system calls that block.
const guestThreads = 16

// reserveThreads makes the runtime start threads while there is room. At a full pids limit a
// Go program that needs another thread dies.
func reserveThreads() {
	var there, gone sync.WaitGroup
	release := make(chan struct{})
	for range guestThreads {
		there.Add(1)
		gone.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread() // without it the thread would end with the goroutine
			there.Done()
			<-release
		})
	}
	there.Wait()
	close(release)
	gone.Wait()
}

// jobScore is the oom_score_adj of commands: when memory runs out, the kernel takes one of
// them and not the guest.
const jobScore = 500

// jobNice is the nice value of commands. It changes nothing among them, nor what the container
// gets of the machine, which the engine weighs. But among the thousand busy processes of a
// fork bomb a guest of equal rank would wait a second for each turn, and could not end them in
// time.
const jobNice = 19

// stuckFork is how long a child may take from its fork to its exec. A child that takes longer
// counts as stopped by another job.
const stuckFork = time.Second

// start forks and executes path. The caller keeps the files and closes them.
func (a *jobs) start(path string, argv []string, attr *syscall.ProcAttr) (*job, error) {
	j := &job{all: a, exited: make(chan struct{}), stop: make(chan ending, 4)}
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err == nil {
		j.floor = self.Maxrss
	}
	j.kills = a.oom.kills()
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	if j.tag, err = a.nextTag(); err != nil {
		a.tampered()
		return nil, err
	}
	// The child inherits the score; setting it from here after the fork would be a race
	// with the child's own first allocations.
	a.setScore(jobScore)
	watch := time.AfterFunc(stuckFork, j.resume)
	j.started = time.Now()
	pid, err := syscall.ForkExec(path, argv, attr)
	watch.Stop()
	a.setScore(0)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.EMFILE) {
			a.tampered()
		}
		return nil, err
	}
	// The whole group: the child may have forked already.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, pid, jobNice)
	if a.procs > 0 {
		// The guest shares the container's limit; this one leaves it room below that.
		_ = prlimit(pid, rlimitNproc, &syscall.Rlimit{Cur: uint64(a.procs), Max: uint64(a.procs)}, nil)
	}
	j.pid = pid
	if j.others = len(a.running) > 0; j.others {
		for _, other := range a.running {
			other.others = true
		}
	}
	a.running[pid] = j
	select {
	case a.started <- struct{}{}:
	default:
	}
	return j, nil
}

func (a *jobs) setScore(n int) {
	if a.score != nil {
		// If the engine's own limit forbids it, the job is as likely a victim as the guest.
		_, _ = a.score.WriteAt([]byte(strconv.Itoa(n)), 0)
	}
}

// tampered ends the sandbox if a job has changed the guest's own limits. The guest may not be
// able to work then, and its errors would look like those of a command. mu is held.
func (a *jobs) tampered() {
	if name := a.limits.changed(); name != "" {
		a.end("a process in the sandbox changed the resource limit " + name + " of the guest")
	}
}

// Arguments and results of waitid(2) that package syscall does not have.
const (
	pAll       = 0
	pPID       = 1
	wNoWait    = 0x01000000
	cldStopped = 5
)

// siginfo is the siginfo_t of a 64-bit kernel, as far as waitid fills it.
type siginfo struct {
	signo, errno, code, _ int32
	pid                   int32
	_                     [128 - 5*4]byte
}

// reap waits for children for as long as the process lives.
func (a *jobs) reap() {
	runtime.LockOSThread()
	for {
		var info siginfo
		// Look first, and reap under the lock: until it is reaped, the pid is not used again.
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0,
			uintptr(unsafe.Pointer(&info)), syscall.WEXITED|syscall.WSTOPPED|wNoWait, 0, 0)
		switch {
		case errno == 0 && info.code == cldStopped:
			a.stopped(int(info.pid))
		case errno == 0:
			a.reapOne(int(info.pid))
		case errno == syscall.EINTR:
		default: // ECHILD: there is no child until a job starts
			<-a.started
		}
	}
}

// stopped takes note of a child that was stopped. A command may stop itself or another, but
// only who stops all processes stops the canary, and then the time that jobs take says
// nothing about them.
func (a *jobs) stopped(pid int) {
	var info siginfo
	_, _, _ = syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid),
		uintptr(unsafe.Pointer(&info)), syscall.WSTOPPED|syscall.WNOHANG, 0, 0)
	a.mu.Lock()
	defer a.mu.Unlock()
	if pid == a.canary {
		a.end("a process in the sandbox stopped all others")
	}
}

func (a *jobs) reapOne(pid int) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		_, err := syscall.Wait4(pid, &status, 0, &usage)
		if err != syscall.EINTR {
			break
		}
	}
	if pid == a.canary {
		a.canary = 0
		a.end("a process in the sandbox killed all others")
	}
	j := a.running[pid]
	if j == nil {
		return
	}
	delete(a.running, pid)
	j.ended, j.status, j.usage = now, status, usage
	if status.Signaled() && status.Signal() == syscall.SIGKILL || status.ExitStatus() == 128+int(syscall.SIGKILL) {
		j.outOfMemory = a.oom.kills() > j.kills
		j.others = j.others || a.leftBehind(j.tag)
		if a.canary != 0 && a.canaryDying() {
			// The canary is reaped next. A job that went with it has no result.
			a.end("a process in the sandbox killed all others")
		}
	}
	a.tampered()
	close(j.exited)
}

// signal sends a signal to the job's process group. The kernel does not use the number of a
// group again while it has members, even if its leader is reaped.
func (j *job) signal(number int) {
	j.all.mu.Lock()
	defer j.all.mu.Unlock()
	_ = syscall.Kill(-j.pid, syscall.Signal(number))
}

// finish requests the end of the job.
func (j *job) finish(e ending) {
	select {
	case j.stop <- e:
	default: // enough requests wait already
	}
}

// peak returns the job's largest resident size in bytes. It is 0, unknown, if the figure from
// wait is no larger than the guest was: that of a child begins with the size of its parent.
func (j *job) peak() int64 {
	if j.usage.Maxrss <= j.floor {
		return 0
	}
	return j.usage.Maxrss << 10
}
