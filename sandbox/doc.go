// Package sandbox runs untrusted code in containers, one Sandbox each, through a docker
// or podman command line and nothing else: no SDK, no daemon of its own, no open port.
// A guest program, PID 1 of the container, starts commands and does file operations; the
// host speaks to it over the stdin and stdout of one `docker run`, so a command costs
// about what a fork costs, not what a `docker exec` costs.
//
//	sb, err := sandbox.Open(ctx, &sandbox.Options{Runtime: "python-datascience"})
//	if err != nil {
//		return err
//	}
//	defer sb.Close()
//	if _, err := sb.WriteFile(ctx, "main.py", program, nil); err != nil {
//		return err
//	}
//	cmd := sb.Command("python3", "main.py")
//	cmd.Timeout = 30 * time.Second
//	result, err := cmd.Run(ctx)
//	if err != nil {
//		return err // the sandbox or ctx; a failing program is a result
//	}
//	fmt.Println(result.Outcome, result.ExitCode, string(result.Stdout))
//
// # Commands
//
// A Command is used as one of os/exec: Run, Output, or Start and Wait, with writers or
// pipes for its streams, which stay apart and are byte for byte what it wrote. A slow
// reader slows the command. With a Terminal it has a pseudo-terminal instead. What nobody
// reads is captured, of more than DefaultCapture bytes the head and the tail.
//
// Every command ends in one Outcome, with the output until then:
//
//	exited         by itself, with ExitCode
//	signaled       by a signal that somebody inside, or the kernel, sent
//	timed_out      Timeout or the context's deadline was over
//	canceled       the context ended, or Kill was called
//	output_limit   it wrote more than MaxOutput
//	out_of_memory  the kernel killed to keep the sandbox within its memory
//	lost           the sandbox ended under it; an error goes with it
//	engine_fault   the engine failed; an error goes with it
//
// To end a command is to end all that came of it, and nothing else: children that ignore
// SIGTERM, left its process group, were orphaned, or cleared their environment. They get
// SIGTERM, after Grace SIGKILL, and where the guest itself does not answer any more the
// container is removed; Result.Rung says which it took. A command that ends by itself
// leaves its background children running, whose output goes nowhere.
//
// # Background jobs
//
// Command.Background starts a Job, which outlives the call, and with a lease the process
// that made it. The last of its output is kept inside, to be read at any time, from any
// offset; WaitLine waits for a line, Wait for the end, Stop ends it.
//
// # Interpreters
//
// An Interpreter of Python, Node or the shell keeps its variables from one run of code to
// the next. What the code shows comes back by MIME type: values as text and JSON, figures
// of matplotlib and images as PNG, tables of pandas as HTML, an exception as data. A
// timeout or Interrupt stops the code and keeps the variables. Nothing but the interpreter
// has to be in the image.
//
// # Files
//
// All of it is done by the guest, as the sandbox's user: no program of the image takes part,
// so it is the same on an image without a shell. Relative names start at the work dir,
// symlinks are followed inside, contents and names are bytes. WriteFile replaces a file at
// once and keeps its mode and owner; Edit and MultiEdit refuse what they do not find, or find
// too often, and ReadLines gives lines by number. Glob and Grep search, Walk and Usage go
// through a tree, Watch tells of its changes, FS is an fs.FS for reading.
//
// # Uploads and downloads
//
// Upload and Download move files and trees as tar archives over the channel: no program of
// the image takes part, and no engine's copy command, which would have to look into a
// running container. Kept are contents, permission bits, modification times, empty
// directories, symlinks, and every name. What arrives belongs to the sandbox's user inside,
// to the caller on the host. Hard links become files of their own, holes are filled, extended
// attributes stay behind.
//
// The destination is what the source becomes: a file becomes the file of that name, what a
// directory holds gets into the directory of that name; where it ends with a slash, the source
// is put into it under its own name. Directories above it are made. A file that is there is
// replaced and a directory merged into; one in place of the other is an error, and so is a
// symlink in place of a directory below the destination, for nothing is written through one.
// What is new appears at once and whole, or not at all; a directory that was there keeps what
// a transfer that failed has put into it.
//
// Refused in both directions, with ErrUnsafe and the name of the entry, are symlinks that are
// absolute or may lead out of the tree, FIFOs, sockets and devices, setuid and setgid files, and
// in archives also hard links and names that are absolute or have ".." in them.
// TransferOptions.Skip leaves them out instead. Bytes, entries, depth and the length of paths
// have limits.
//
// # Snapshots
//
// Snapshot saves the files of the work dir and the home as an image of a name, which
// Options.Snapshot opens any number of times, and Rollback goes back to. Fork opens copies
// of a sandbox that runs. Hibernate saves and closes, Wake brings back; Pause and Resume keep
// everything in memory, processes too. Snapshots stay until RemoveSnapshot.
//
// # Servers inside
//
// Dial gives a net.Conn to a port or a unix socket in the sandbox, Transport an
// http.RoundTripper, Expose a URL on the host's loopback interface, and WaitPort waits until
// somebody listens. All of it goes through the channel: no port is published, and the
// sandbox needs no network. Of the host's addresses others can use what Expose opens: see
// there.
//
// # What every sandbox has
//
// An unprivileged user, no capabilities, no new privileges, the engine's default seccomp
// profile, a read-only root file system, no network, private ipc and cgroup namespaces,
// no core files, no restart, no health check, no container log; 1 GiB of memory without
// swap beside it, 2 cpus (fewer where the engine has fewer), 1024 processes for the
// commands and 32 more for the guest. The work dir
// is a tmpfs of three eighths of the memory, the home directory one of a quarter and /tmp
// one of an eighth; programs can be run from them, and they end with the sandbox. Mount a directory or a volume
// to keep files.
//
// # Who runs inside
//
// The first line that fits says which user:
//
//	Options.User or the runtime's user is set     that user
//	rootless podman                               the caller, same uid inside (keep-id)
//	rootless docker                               0, which is the caller outside
//	the caller is not root                        the caller's uid and gid
//	the caller is root, and the work dir is a     that owner
//	  mounted host directory not owned by root
//	the caller is root, and a volume is mounted   the user it was made for
//	  that a sandbox made
//	the caller is root                            a uid from 200000 to 265535 that no
//	                                              other sandbox of the host has
//
// An empty directory of root's that is mounted at the work dir is given to the uid that
// the last line chose, once; nothing else on the host changes its owner. A volume that does
// not exist is made for the user who runs, and its label keeps for whom.
//
// Commands of another user, one of Options.Users, are run by a second guest, which the
// engine starts as that user at the first of them: PID 1 has no capability to become
// somebody else. Such a user's files in tmpfs mounts and signals are its own.
//
// # Life
//
// A sandbox ends with Close, and with the process that opened it however that ends: the
// engine's command line then closes the guest's stdin, and the guest takes everything
// down with it. Afterwards nothing is left but the image, which the next Open uses, and
// snapshots.
//
// # Images
//
// The image of a sandbox is a runtime's base image, its packages, and the guest as the
// last layer. Its tag is computed from that definition, so Open asks the engine nothing
// before it starts a container, and builds the image only where there is none of that tag.
// One process at a time builds one, also where hosts share an engine: who builds holds a
// container, which is never started, of a name that is the image's.
//
// BuildOptions say when images are pulled and built, and from which indexes packages come. A
// build that fails is a *BuildError. Prebuild makes images ready ahead of time, RuntimeImages
// lists them, Prune removes those that no runtime yields any more or that nobody uses,
// Export and Import move them to hosts without a registry, and Lock pins what they are made
// of.
//
// # Trust
//
// The host trusts its engine, the images it is told to use, and the caller. It does not
// trust what runs inside: the guest's frames, names, sizes and JSON are bounded and
// checked, and a violation ends the sandbox with ErrLost. What a command prints comes
// through as it is; whoever shows it on a terminal must expect escape sequences. A command
// can end its own sandbox, having the same user as the guest: that is ErrLost too, and
// never a result. The kernel is shared: against its bugs a container is no wall, which is
// what OCI runtimes with a kernel of their own are for.
//
// # What it does not do
//
// It does not share one sandbox among users: open one for each. It does not limit what a
// mounted host directory or volume may grow to.
package sandbox
