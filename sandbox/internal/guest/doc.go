// Package guest is the program inside a sandbox: PID 1 of the container. It runs commands and
// works on files for the host, which is at the other end of its stdin and stdout. It needs
// nothing of the image it runs in, not even a shell.
//
// The guest is Go with the standard library alone, static, and built the same bit for bit on
// every machine (scripts/guest). An image gets it as a layer when it is built: a bind mount
// fails with a remote engine, docker cp fails on a read-only container, and a tmpfs may not be
// executable. Package net is not used, since it would make the program a third larger.
//
// # Trust
//
// The guest runs as the same unprivileged user as the commands it starts. It does not defend the
// host; the container does, and the host checks whatever the guest sends. It defends itself and
// the commands from each other as far as one user can:
//
//   - It handles every signal and does nothing. The kernel spares PID 1 the signals from inside
//     that it has no handler for, but the Go runtime installs handlers, and some of those end
//     the process. The engine must not run it below an init (--init): a job could kill it then.
//   - It is undumpable (PR_SET_DUMPABLE), so jobs cannot read its memory, its environment and
//     its descriptors, two of which are the channel. From then on root owns its files in /proc,
//     so it opens its oom_score_adj before. "guest connect" is started by the engine and carries
//     a channel, too: it is a copy of the program that nobody may read, which makes it
//     undumpable before its first instruction.
//   - Jobs get a higher oom_score_adj and nice value than the guest: when memory or cpu is
//     short, a job gives way.
//   - At a full pids limit a Go program that needs another thread dies. So the guest starts its
//     threads before the first job, opens nothing that blocks, and lowers RLIMIT_NPROC of its
//     jobs below the container's limit if the sandbox has a user of its own.
//   - Every command has pipes of its own. A child that a command leaves behind can neither hold
//     the command's result back nor write into the output of another.
//
// A command that is out to end its own sandbox can do so: with prlimit on PID 1, or by killing
// all other processes. The guest notices that by its own limits, by forged tags and by a
// process that does nothing, the canary. It then says bye and ends, and the host reports a lost
// sandbox, never a result that may be wrong.
//
// # Processes
//
// One loop owns wait: it looks with waitid and WNOWAIT, then reaps under the lock that guards
// kills. So no signal goes to a pid that was used again, and no second waiter takes an exit code
// away. As PID 1 the guest reaps all orphans. For that reason it starts processes itself and not
// by package os/exec.
//
// To end a job means to end every process that came of it, and no other job's: also a child that
// left the process group (setsid), was re-parented to PID 1 (a double fork) and has cleared its
// environment. Its tag survives all of that: the hard limit RLIMIT_LOCKS, which Linux does not
// use. The guest sets its own to the job's number before each fork, children inherit it, and a
// scan of /proc, of about a millisecond, finds them. A kill of the group alone would miss such
// children; a subreaper process for each job would cost two milliseconds a command.
//
// With all capabilities dropped not even root inside may signal another user's process. So
// commands of another user have a guest of their own, started by docker exec --user beside
// PID 1. It is the subreaper of its jobs, and the prefix of its tags is its pid.
//
// # Figures
//
// Memory, pids, cpu and the count of processes killed for memory come from the container's own
// cgroup: one tree with version 2, and one below /sys/fs/cgroup for each controller with version
// 1, where the path in /proc/self/cgroup does not exist inside. A job counts as out of memory if
// it died by SIGKILL, or with the code 137, and the count rose while it ran; if other jobs ran
// at the time it is only a suspicion, and the result says so. The peak memory that wait reports
// begins with the size of the guest that forked, so a figure no larger than that is reported as
// unknown.
//
// # Life
//
// When the host process ends, even by SIGKILL, the stdin of its docker CLI closes, the engine
// closes the guest's, and the guest ends with everything inside; --rm then removes the
// container. Nothing has to watch over it. With a lease the guest instead listens on an abstract
// unix socket, and docker exec … guest connect is the way back in. It takes a peer only if its
// parent is pid 0, outside: the engine's processes have that, and no job can. It ends when no
// host has been there for the time of the lease.
//
// File operations, searches and archives run in the guest itself, without a process. Background
// jobs outlive the call that started them, and the host: the results of the last 10,000 stay,
// and a bounded part of their output.
package guest
