//go:build linux

package guest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// guestProgram is where an image has the guest.
var guestProgram = "/.drydock/guest"

// program is what a command executes. For a command with resource limits that is "guest
// limit", which sets the limits and then executes the command in its place.
type program struct {
	path string
	argv []string

	// "guest limit" reports on a pipe why it could not start the command. Both ends are
	// nil for a command without limits.
	report, reporter *os.File
}

// newProgram returns the program of a command, and adds the files that it needs to attr. The
// caller ends it with failure.
func newProgram(path string, argv []string, limits []wire.Limit, attr *syscall.ProcAttr) (*program, error) {
	if len(limits) == 0 {
		return &program{path: path, argv: argv}, nil
	}
	var text strings.Builder
	for _, l := range limits {
		if limitNumber(l.Name) < 0 || l.Name == "locks" {
			return nil, wire.Invalid("there is no limit %q", l.Name)
		}
		fmt.Fprintf(&text, "%s=%d:%d,", l.Name, l.Soft, l.Hard)
	}
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil, err
	}
	args := []string{"guest", "limit", strconv.Itoa(len(attr.Files)), text.String(), path}
	attr.Files = append(attr.Files, uintptr(fds[1]))
	return &program{path: guestProgram, argv: append(args, argv...),
		report: os.NewFile(uintptr(fds[0]), "report"), reporter: os.NewFile(uintptr(fds[1]), "reporter")}, nil
}

// failure waits until the program has started or has failed to, and returns why it failed. It
// closes the report.
func (p *program) failure() error {
	if p.report == nil {
		return nil
	}
	p.reporter.Close()
	defer p.report.Close()
	text := make([]byte, 1<<10)
	n, _ := p.report.Read(text) // nothing but the end if it started
	if n == 0 {
		return nil
	}
	number, subject, _ := strings.Cut(string(text[:n]), " ")
	errno, _ := strconv.Atoi(number)
	return &os.PathError{Op: "exec", Path: subject, Err: syscall.Errno(errno)}
}

// limitNumber returns the number of a resource limit, or -1.
func limitNumber(name string) int { return slices.Index(limitNames[:], name) }

// becomeLimited is "guest limit": it sets the limits and executes path.
func becomeLimited(fd, limits, path string, argv []string) error {
	report, err := strconv.Atoi(fd)
	if err != nil {
		return err
	}
	syscall.CloseOnExec(report)
	fail := func(subject string, err error) error {
		var errno syscall.Errno
		errors.As(err, &errno)
		_, _ = syscall.Write(report, []byte(strconv.Itoa(int(errno))+" "+subject))
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
