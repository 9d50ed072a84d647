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

// jobs starts processes and reaps all that end: its own and, as PID 1, every orphan.
// One loop owns wait; a second waiter would steal from it.
type jobs struct {
	started chan struct{} // wakes the reaper that found no child
	limits  *ownLimits
	oom     *oomCounter
	procs   int64        // what each job gets as its RLIMIT_NPROC, where it is not 0
	end     func(string) // ends the sandbox, for a reason

	// mu is held from before a fork until the child is registered, and around a kill, so
	// no pid is looked up before it is known or signalled after it was reaped.
	mu      sync.Mutex
	running map[int]*job
	canary  int      // its pid, or 0
	score   *os.File // the own oom_score_adj, open since before it became root's

	untagged uint64        // the limit of what no guest has started
	prefix   uint64        // the upper half of all tags
	lastTag  atomic.Uint64 // changed under mu
}

// job is a command's first process, its process group, and the tree of all that came of
// it: see tree.go.
type job struct {
	all     *jobs
	pid     int
	tag     uint64
	started time.Time
	floor   int64 // peak memory of the parent at the fork, which the child's figure includes
	kills   int64 // of the out-of-memory killer, before the start

	others bool // another job ran at the same time; guarded by jobs.mu

	exited      chan struct{} // closed by the reaper, after the fields below are set
	ended       time.Time
	status      syscall.WaitStatus
	usage       syscall.Rusage
	outOfMemory bool

	// stop carries the wishes that the job end.
	stop chan ending
}

// ending is why a job is to end.
type ending struct {
	why   cause
	now   bool          // without TERM
	grace time.Duration // where it is not the command's own
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
	// The runtime's handlers let many signals end the process, and PID 1 is only spared
	// signals it has no handler for. Taking all of them and doing nothing spares it all;
	// ignoring them instead would be inherited by every command.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals)
	go func() {
		for range signals {
		}
	}()
	// What the engine's runtime may have left open is no business of any command.
	const closeRange, cloexec = 436, 4 // close_range(2); kernels before 5.11 do not know it
	_, _, _ = syscall.RawSyscall(closeRange, 3, ^uintptr(0), cloexec)
	a := &jobs{started: make(chan struct{}, 1), running: make(map[int]*job), end: func(string) {}}
	// The score file belongs to root once the process is not dumpable: open it before.
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
	// Where it cannot be started a kill of everything else goes unnoticed, no more.
	a.canary, _ = startCanary()
	go a.reap()
	return a, nil
}

// undumpable keeps processes of the same user out of this one's memory and descriptors,
// of which two are the channel.
func undumpable() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// guestThreads is how many threads the guest starts with. It needs them for the reaper,
// the signals, the poller, garbage collection and the system calls that block.
const guestThreads = 16

// reserveThreads makes the runtime start threads while there is room: at a full pids
// limit a Go program that needs another one dies.
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

// jobScore is the oom_score_adj of commands: when memory runs out the kernel takes one
// of them, not the guest.
const jobScore = 500

// jobNice is the nice value of commands. Among themselves it changes nothing, and for what
// the container gets of the machine the engine gives it a weight of its own. But between a
// thousand busy processes of a fork bomb the guest would wait a second for each turn, and
// could not end them in time.
const jobNice = 19

// stuckFork is how long a child may take from its fork to its exec before it is taken
// for one that another job has stopped.
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
	// All that is in its group by now, should it have forked already.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, pid, jobNice)
	if a.procs > 0 {
		// Beside the container's limit, which the guest shares: this one leaves it room.
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
		// Where the engine's own limit forbids it the job is as likely a victim as the guest.
		_, _ = a.score.WriteAt([]byte(strconv.Itoa(n)), 0)
	}
}

// tampered ends the sandbox if a job has changed the guest's own limits: it cannot do its
// part then, and its errors would be taken for those of the command.
func (a *jobs) tampered() {
	if name := a.limits.changed(); name != "" {
		a.end("a process in the sandbox changed the resource limit " + name + " of the guest")
	}
}

// waitid's arguments and answer, which package syscall does not have.
const (
	pAll       = 0
	pPID       = 1
	wNoWait    = 0x01000000
	cldStopped = 5
)

// siginfo is siginfo_t of a 64-bit kernel as far as waitid fills it.
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
		// Look first and reap under the lock: until then the pid cannot be used again.
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0,
			uintptr(unsafe.Pointer(&info)), syscall.WEXITED|syscall.WSTOPPED|wNoWait, 0, 0)
		switch {
		case errno == 0 && info.code == cldStopped:
			a.stopped(int(info.pid))
		case errno == 0:
			a.reapOne(int(info.pid))
		case errno == syscall.EINTR:
		default: // ECHILD: nothing to wait for until a job starts
			<-a.started
		}
	}
}

// stopped takes note of a child that was stopped. A command may stop itself or another;
// the canary is met by whoever stops all, and then the others' time says nothing of them.
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
			// Its end is reaped next; no result is to be sent of a job that went with it.
			a.end("a process in the sandbox killed all others")
		}
	}
	a.tampered()
	close(j.exited)
}

// signal sends a signal to the job's process group. Once the leader is reaped only the
// group's number is left, which the kernel keeps from being used again while it has
// members.
func (j *job) signal(number int) {
	j.all.mu.Lock()
	defer j.all.mu.Unlock()
	_ = syscall.Kill(-j.pid, syscall.Signal(number))
}

// finish asks for the end of the job.
func (j *job) finish(e ending) {
	select {
	case j.stop <- e:
	default: // others are waiting already, which says all there is to say
	}
}

// peak is the job's largest resident size in bytes, or 0 where the figure that wait
// gives cannot be told from the size of the guest that forked it.
func (j *job) peak() int64 {
	if j.usage.Maxrss <= j.floor {
		return 0
	}
	return j.usage.Maxrss << 10
}
