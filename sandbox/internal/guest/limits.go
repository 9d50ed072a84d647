//go:build linux

package guest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// limitNames are those of the resource limits in the order of their numbers:
// asm-generic/resource.h.
var limitNames = [...]string{"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile",
	"memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"}

// ownLimits are the guest's resource limits as they are to be.
type ownLimits [len(limitNames)]syscall.Rlimit

func readOwnLimits() *ownLimits {
	l := &ownLimits{}
	for i := range l {
		// A kernel that does not know one answers the same the next time.
		_ = prlimit(0, i, nil, &l[i])
	}
	return l
}

// changed returns the name of a limit that is not what it was.
func (l *ownLimits) changed() string {
	now := readOwnLimits()
	for i := range now {
		if now[i] != l[i] {
			return limitNames[i]
		}
	}
	return ""
}

// guestProgram is where an image has the guest.
var guestProgram = "/.drydock/guest"

// limited makes of a command one that sets resource limits and then becomes the command.
// The second file reports why it could not, and is nil where there are no limits.
func limited(limits []wire.Limit, path string, argv []string, attr *syscall.ProcAttr) (string, []string, *os.File, error) {
	if len(limits) == 0 {
		return path, argv, nil, nil
	}
	for _, l := range limits {
		if limitNumber(l.Name) < 0 || l.Name == "locks" {
			return "", nil, nil, &wire.Error{Code: wire.CodeInvalid, Text: fmt.Sprintf("there is no limit %q", l.Name)}
		}
	}
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return "", nil, nil, err
	}
	args := []string{"guest", "limit", strconv.Itoa(len(attr.Files)), limitText(limits), path}
	attr.Files = append(attr.Files, uintptr(fds[1]))
	return guestProgram, append(args, argv...), os.NewFile(uintptr(fds[0]), "limit"), nil
}

// limitFailure returns why a limited command did not start. It closes both ends.
func limitFailure(r *os.File, attr *syscall.ProcAttr) error {
	defer r.Close()
	syscall.Close(int(attr.Files[len(attr.Files)-1]))
	text := make([]byte, 1<<10)
	n, _ := r.Read(text) // nothing but the end where it started
	if n == 0 {
		return nil
	}
	number, what, _ := strings.Cut(string(text[:n]), " ")
	errno, _ := strconv.Atoi(number)
	return &os.PathError{Op: "exec", Path: what, Err: syscall.Errno(errno)}
}

func limitNumber(name string) int {
	for i, n := range limitNames {
		if n == name {
			return i
		}
	}
	return -1
}

func limitText(limits []wire.Limit) string {
	var b strings.Builder
	for _, l := range limits {
		fmt.Fprintf(&b, "%s=%d:%d,", l.Name, l.Soft, l.Hard)
	}
	return b.String()
}

// becomeLimited is the program that limited starts: it sets the limits and executes path.
func becomeLimited(fd, limits, path string, argv []string) error {
	report, err := strconv.Atoi(fd)
	if err != nil {
		return err
	}
	syscall.CloseOnExec(report)
	fail := func(what string, err error) error {
		var errno syscall.Errno
		errors.As(err, &errno)
		_, _ = syscall.Write(report, []byte(strconv.Itoa(int(errno))+" "+what))
		return err
	}
	env := os.Environ()
	for one := range strings.SplitSeq(strings.TrimSuffix(limits, ","), ",") {
		name, values, _ := strings.Cut(one, "=")
		soft, hard, _ := strings.Cut(values, ":")
		var r syscall.Rlimit
		s, _ := strconv.ParseInt(soft, 10, 64)
		h, _ := strconv.ParseInt(hard, 10, 64)
		r.Cur, r.Max = uint64(s), uint64(h) // -1 is the kernel's infinity
		// Not by prlimit: the runtime would put its own nofile back.
		if err := syscall.Setrlimit(limitNumber(name), &r); err != nil {
			return fail("limit "+name, err)
		}
	}
	return fail(path, syscall.Exec(path, argv, env))
}
