// Package sandbox runs untrusted code in containers, through a docker or podman command
// line and nothing else. In short, without the errors:
//
//	sb, err := sandbox.Open(ctx, nil)
//	defer sb.Close()
//	_, err = sb.WriteFile(ctx, "hello.py", []byte(`print("hello")`), nil)
//	result, err := sb.Exec(ctx, "python3 hello.py")
//	fmt.Print(string(result.Stdout))
//
// Each Sandbox has one container. A guest program, PID 1 of the container, starts the
// commands and does the file operations; the host speaks to it over the stdin and stdout
// of one `docker run`. A command therefore costs about as much as a fork, and less than a
// `docker exec`. There is no SDK, no daemon of its own and no open port.
//
// A whole program chooses its runtime, limits its command and tells failures apart:
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
// A Command is used like one of os/exec: Run, Output, or Start and Wait, with writers or
// pipes for its streams. Stdout and stderr stay apart, byte for byte as the command wrote
// them. A slow reader slows the command. With a Terminal the command gets a
// pseudo-terminal instead. Output without a writer or pipe is captured: if it is longer
// than DefaultCapture bytes, its head and its tail.
//
// Every command ends in one Outcome, with the output until then:
//
//	exited         by itself, with ExitCode
//	signaled       by a signal that the kernel or a process inside sent
//	timed_out      Timeout or the deadline of the context had passed
//	canceled       the context ended, or Kill was called
//	output_limit   it wrote more than MaxOutput
//	out_of_memory  the kernel killed it to keep the sandbox within its memory
//	lost           the sandbox ended under it; an error goes with it
//	engine_fault   the engine failed; an error goes with it
//
// Ending a command ends all processes that came of it, and no others. That includes
// children that ignore SIGTERM, left its process group, were orphaned, or cleared their
// environment. They get SIGTERM and, after Grace, SIGKILL; if the guest itself no longer
// answers, the container is removed. Result.Rung says how far that went. A command that
// ends by itself leaves its background children running; their output is discarded.
//
// # Background jobs
//
// Command.Background starts a Job, which outlives the call and, if the sandbox has a
// Lease, the process that started it. The end of its output is kept inside and can be
// read at any time, from any offset. WaitLine waits for a line, Wait for the end, and
// Stop ends the job.
//
// # Interpreters
//
// An Interpreter of Python, Node or the shell keeps its variables from one run of code to
// the next. Results come back by MIME type: values as text and JSON, matplotlib figures and
// images as PNG, pandas tables as HTML, and an exception as data. A timeout or Interrupt
// stops the code and keeps the variables. The image needs nothing but the interpreter.
//
// # Files
//
// The guest does all file operations as the sandbox's user. No program of the image takes
// part, so they work on an image without a shell. Relative names start at the work dir,
// symlinks are followed inside, and contents and names are bytes. WriteFile replaces a
// file at once and keeps its mode and owner. Edit and MultiEdit fail if the text is not
// found, or found more than once. ReadLines returns lines by number, Glob and Grep search,
// Walk and Usage go through a tree, Watch reports its changes, and FS is an fs.FS for
// reading.
//
// # Uploads and downloads
//
// Upload and Download move files and trees as tar archives over the channel. Neither a
// program of the image nor the engine's copy command takes part: the latter would have to
// look into a running container. Contents, permission bits, modification times, empty
// directories, symlinks and all names are kept. Inside, the files belong to the sandbox's
// user; on the host, to the caller. Hard links become separate files, holes are filled,
// and extended attributes are dropped.
//
// The destination is the new name of the source: a file becomes the file of that name,
// and the contents of a directory go into the directory of that name. If the destination
// ends with a slash, the source is put into it under its own name. Missing directories
// above it are made. An existing file is replaced, and an existing directory is merged
// into. A file in place of a directory, or the reverse, is an error. So is a symlink in
// place of a directory below the destination: nothing is written through a symlink. What
// is new appears at once and whole, or not at all. A directory that existed keeps the
// files that a failed transfer has put into it.
//
// Some entries are refused in both directions, with ErrUnsafe and the name of the entry:
// symlinks that are absolute or may lead out of the tree, FIFOs, sockets, devices, and
// setuid and setgid files. In archives hard links and names that are absolute or contain
// ".." are refused as well. TransferOptions.Skip leaves such entries out instead. Bytes,
// entries, depth and the length of paths have limits.
//
// # Snapshots
//
// Snapshot saves the files of the work dir and the home as a named image. Options.Snapshot
// opens it any number of times, and Rollback returns to it. Fork opens copies of a running
// sandbox. Hibernate saves and closes, and Wake brings the sandbox back. Pause and Resume
// keep everything in memory, processes too. Snapshots stay until RemoveSnapshot.
//
// # Servers inside
//
// Dial returns a net.Conn to a port or a unix socket in the sandbox, Transport an
// http.RoundTripper, and Expose a URL on the host's loopback interface. WaitPort waits
// until a server listens. All of it goes through the channel: no port is published, and the
// sandbox needs no network. Other users of the host can connect to what Expose opens; see
// Expose.
//
// # What every sandbox has
//
// A sandbox runs as an unprivileged user, without capabilities and without a way to new
// privileges, under the engine's default seccomp profile. Its root file system is
// read-only, and it has no network. Its ipc and cgroup namespaces are private. There are no
// core files, no restart, no health check and no container log. Its limits are 1 GiB of
// memory without swap, 2 cpus (fewer if the engine has fewer), and 1024 processes for the
// commands with 32 more for the guest.
//
// The work dir is a tmpfs of three eighths of the memory, the home directory one of a
// quarter, and /tmp one of an eighth. Programs can be run from them, and they end with the
// sandbox. Mount a directory or a volume to keep files.
//
// # Who runs inside
//
// The first line whose condition holds says which user:
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
// If the last line applies and an empty directory owned by root is mounted at the work dir,
// the directory is given to that uid, once. Nothing else on the host changes its owner. A
// volume that does not exist is made for the user who runs, and a label records that user.
//
// A second guest runs the commands of another user, one of Options.Users. The engine starts
// it as that user with the first such command, because PID 1 has no capability to become
// another user. The user's tmpfs files and signals are its own.
//
// # Life
//
// A sandbox ends with Close, which is graceful, and with Kill, which is not. It also ends
// with the process that opened it, however that process ends: the engine's command line
// then closes the guest's stdin, and the guest ends everything inside. The image, which the
// next Open uses, and snapshots are all that remains.
//
// With Options.Lease the sandbox outlives its process for a while. Detach leaves it, and
// Adopt takes it over by its name, in this process or another one.
//
// # Images
//
// Package image pulls and builds the images that runtimes run in; Options.Images is its
// Builder. Open starts the container first and builds only if the engine has no image of
// that definition. Package engine is the boundary to docker and podman, and to any other
// engine that implements it.
//
// # Trust
//
// The host trusts its engine, the images that it is told to use, and the caller. It does not
// trust what runs inside: the guest's frames, names, sizes and JSON are bounded and
// checked, and a violation ends the sandbox with ErrLost. Output of a command comes
// through unchanged; a program that shows it on a terminal must expect escape sequences. A
// command has the same user as the guest and can end its own sandbox: that is ErrLost too,
// and never a result. The kernel is shared: a container is no barrier against its bugs. Use
// an OCI runtime that has a kernel of its own against those.
//
// # What it does not do
//
// It does not share one sandbox among users: open one for each. It does not limit the size
// of a mounted host directory or volume.
package sandbox
