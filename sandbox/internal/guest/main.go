//go:build linux

package guest

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// Main is the guest program:
//
//	guest init                   serve the host on stdin and stdout, and end with it
//	guest init LEASE             serve one host after the other, and end LEASE after the last
//	guest connect                join stdin and stdout to a guest with a lease
//	guest user                   serve the host beside PID 1, for the commands of another user
//	guest limit FD LIMITS PATH ARGS...   become a command with resource limits
//	guest own UID GID DIR        give a new volume to its user
//	guest prepare WORKDIR HOME   at build time: make the image ready to run as any user
func Main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 1 && args[0] == "init":
		err = Serve(polled(os.Stdin), polled(os.Stdout))
	case len(args) == 2 && args[0] == "init":
		err = serveLease(args[1])
	case len(args) == 1 && args[0] == "user":
		err = serveUser(polled(os.Stdin), polled(os.Stdout))
	case len(args) > 4 && args[0] == "limit":
		if becomeLimited(args[1], args[2], args[3], args[4:]) != nil {
			os.Exit(1) // the guest has heard why
		}
	case len(args) == 1 && args[0] == "connect":
		if err = undumpable(); err == nil {
			err = connect(polled(os.Stdin), polled(os.Stdout))
		}
	case len(args) == 4 && args[0] == "own":
		err = own(args[1], args[2], args[3])
	case len(args) == 3 && args[0] == "prepare":
		err = prepare(args[1], args[2])
	default:
		err = fmt.Errorf("usage: guest init [LEASE] | guest connect | guest user | guest limit | guest own UID GID DIR | guest prepare WORKDIR HOME")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock guest:", err)
		os.Exit(1)
	}
}

// serveUser serves a host that runs commands as another user. This guest is not PID 1. It
// adopts the orphans of its own jobs, and ends them with itself.
func serveUser(r io.Reader, w io.Writer) error {
	const setChildSubreaper = 36 // prctl(2)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	g, err := newGuest()
	if err != nil {
		return err
	}
	g.beside = true
	err = g.serve(r, w, func() {})
	g.jobs.killAll()
	g.jobs.endCanary()
	if err == errBye {
		err = nil
	}
	return err
}

// polled returns the file in a form that waits in the runtime's poller and not in a system
// call. The goroutine that a frame starts can then run on the thread that read the frame. To
// wake another thread takes a tenth of a millisecond for each call.
func polled(f *os.File) *os.File {
	widen(int(f.Fd()))
	if err := syscall.SetNonblock(int(f.Fd()), true); err != nil {
		return f // waiting in the system call is slower and no less right
	}
	return os.NewFile(f.Fd(), f.Name())
}
