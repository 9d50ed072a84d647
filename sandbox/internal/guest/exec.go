//go:build linux

package guest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// exec runs a command and returns when its first process has ended and all that it
// wrote until then has been sent.
func (c *call) exec(m *wire.Exec) (any, error) {
	argv := make([]string, len(m.Args))
	for i, a := range m.Args {
		argv[i] = string(a)
	}
	env := mergeEnv(c.s.env, m.Env)
	dir := c.s.abs(string(m.Dir))
	if info, err := os.Stat(dir); err != nil {
		return nil, describe("working directory", err)
	} else if !info.IsDir() {
		return nil, &wire.Error{Code: wire.CodeNotDir, Text: fmt.Sprintf("working directory %q is not a directory", dir)}
	}
	path, err := lookPath(string(m.Path), dir, envValue(env, "PATH"))
	if err != nil {
		return nil, err
	}
	p, err := openPipes(m)
	if err != nil {
		return nil, err
	}
	j, err := c.startJob(path, argv, &syscall.ProcAttr{
		Dir:   dir,
		Env:   env,
		Files: p.child[:],
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	p.closeChild()
	if err != nil {
		p.closeOurs()
		return nil, describe(path, err)
	}

	if p.stdin != nil {
		go feed(p.stdin, c.stream)
	}
	pumps := []*pump{newPump(p.stdout, c.stream)}
	if p.stderr != nil {
		pumps = append(pumps, newPump(p.stderr, c.stderr))
	}
	var limit <-chan time.Time
	if m.Timeout > 0 {
		t := time.NewTimer(time.Duration(m.Timeout))
		defer t.Stop()
		limit = t.C
	}
	x := j.wait(limit, time.Duration(m.Grace))
	for _, p := range pumps {
		p.leaderGone()
	}
	drain(j, x, pumps, limit)
	return x, nil
}

// drain waits until all that the job wrote has been taken by its reader. Whoever ends the
// job, now or before, is to hear how that went also where nobody takes its output: a pump
// that waits for the reader would wait for ever.
func drain(j *job, x *wire.Exited, pumps []*pump, limit <-chan time.Time) {
	var enough <-chan time.Time
	if x.Rung != "" {
		enough = time.After(unreadGrace)
	}
	for _, p := range pumps {
		for waiting := true; waiting; {
			select {
			case <-p.drained:
				waiting = false
				x.Unread = x.Unread || p.lost
			case <-limit:
				limit, x.TimedOut = nil, !x.Canceled
				enough = time.After(unreadGrace)
			case <-j.stop:
				x.Canceled = !x.TimedOut
				enough = time.After(unreadGrace)
			case <-enough:
				for _, p := range pumps {
					p.s.Abort(errAborted)
				}
			}
		}
	}
}

// unreadGrace is how long the output of a command that was ended waits for its reader.
const unreadGrace = 2 * time.Second

// startJob starts the call's job unless the call was canceled before.
func (c *call) startJob(path string, argv []string, attr *syscall.ProcAttr) (*job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.canceled {
		return nil, errAborted
	}
	j, err := c.s.jobs.start(path, argv, attr)
	c.job = j
	return j, err
}

// wait returns how the job ended. A timeout or a cancel climbs the ladder: TERM to the
// process group, then after grace KILL.
func (j *job) wait(limit <-chan time.Time, grace time.Duration) *wire.Exited {
	x := &wire.Exited{Code: -1}
	var next <-chan time.Time
	kill := func() {
		j.signal(int(syscall.SIGKILL))
		x.Rung, next = "kill", nil
	}
	end := func(now bool) {
		switch {
		case x.Rung == "kill":
		case now || grace <= 0:
			kill()
		case x.Rung == "":
			j.signal(int(syscall.SIGTERM))
			// A stopped process would not see the TERM before it goes on.
			j.signal(int(syscall.SIGCONT))
			x.Rung = "term"
			t := time.NewTimer(grace)
			next = t.C
		}
	}
	for running := true; running; {
		select {
		case <-j.exited:
			running = false
		case <-limit:
			x.TimedOut = !x.Canceled
			end(false)
		case now := <-j.stop:
			x.Canceled = !x.TimedOut
			end(now)
		case <-next:
			kill()
		}
	}
	if x.Rung == "term" {
		// The leader heeded TERM; what it left behind in its group did not.
		j.signal(int(syscall.SIGKILL))
	}
	if j.status.Signaled() {
		x.Signal = int(j.status.Signal())
	} else {
		x.Code = j.status.ExitStatus()
	}
	x.Elapsed = j.ended.Sub(j.started).Nanoseconds()
	x.User, x.System = j.usage.Utime.Nano(), j.usage.Stime.Nano()
	x.Peak = j.peak()
	return x
}

// pipes are the three standard files of a command: child's ends and ours.
type pipes struct {
	child                 [3]uintptr
	opened                []int // the child's ends, until they are closed here
	stdin, stdout, stderr *os.File
}

func openPipes(m *wire.Exec) (_ *pipes, err error) {
	p := &pipes{}
	defer func() {
		if err != nil {
			p.closeChild()
			p.closeOurs()
			err = describe("pipe", err)
		}
	}()
	if m.Stdin {
		p.stdin, p.child[0], err = p.open(true)
	} else {
		var fd int
		// Write access too: a program that writes to its stdin by mistake is not to fail.
		fd, err = syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err == nil {
			p.opened = append(p.opened, fd)
			p.child[0] = uintptr(fd)
		}
	}
	if err != nil {
		return p, err
	}
	if p.stdout, p.child[1], err = p.open(false); err != nil {
		return p, err
	}
	if m.Join {
		p.child[2] = p.child[1]
		return p, nil
	}
	p.stderr, p.child[2], err = p.open(false)
	return p, err
}

// open makes a pipe whose read end, or write end, is the child's. Our end does not
// block: a blocked thread for each pipe would run into the pids limit.
func (p *pipes) open(childReads bool) (ours *os.File, child uintptr, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, 0, err
	}
	c, o := fds[1], fds[0]
	if childReads {
		c, o = o, c
	}
	p.opened = append(p.opened, c)
	if err := syscall.SetNonblock(o, true); err != nil {
		syscall.Close(o)
		return nil, 0, err
	}
	return os.NewFile(uintptr(o), "pipe"), uintptr(c), nil
}

func (p *pipes) closeChild() {
	for _, fd := range p.opened {
		syscall.Close(fd)
	}
	p.opened = nil
}

// closeOurs is for a command that did not start; else the pumps and feed close them.
func (p *pipes) closeOurs() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		if f != nil {
			f.Close()
		}
	}
}

// feed copies the host's bytes to a command's stdin until either end closes.
func feed(stdin *os.File, s *wire.Stream) {
	if _, err := s.WriteTo(stdin); err != nil {
		s.CloseRead()
	}
	stdin.Close()
}

// pump moves what a command writes to a stream. When the command's first process has
// ended it takes what is in the pipe by then and is drained; what children that were
// left behind write later is read and dropped, so that it neither holds the result back,
// nor shows up elsewhere, nor kills them.
type pump struct {
	f       *os.File
	s       *wire.Stream
	lost    bool // the reader left; the command goes on without it
	drained chan struct{}
}

func newPump(f *os.File, s *wire.Stream) *pump {
	p := &pump{f: f, s: s, drained: make(chan struct{})}
	go func() {
		defer f.Close()
		ended := p.run()
		close(p.drained)
		if !ended {
			io.Copy(io.Discard, f)
		}
	}()
	return p
}

// leaderGone wakes the pump where it waits for more.
func (p *pump) leaderGone() { _ = p.f.SetReadDeadline(time.Unix(1, 0)) }

// run reports whether the pipe's end was reached.
func (p *pump) run() (ended bool) {
	buf := wire.NewBuffer()
	defer buf.Free()
	for {
		n, err := p.f.Read(buf.Data())
		p.send(buf, n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return true
		}
	}
	// The deadline hides what is in the pipe: lift it, and read without waiting.
	raw, err := p.f.SyscallConn()
	if err != nil || p.f.SetReadDeadline(time.Time{}) != nil {
		return true
	}
	// Only what is there by now: children that go on writing would never let it end.
	var left int32
	if err := raw.Control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&left)))
	}); err != nil {
		return true
	}
	for left > 0 {
		var n int
		var errno error
		if err := raw.Read(func(fd uintptr) bool {
			n, errno = syscall.Read(int(fd), buf.Data()[:min(int(left), wire.MaxData)])
			return true
		}); err != nil {
			return true
		}
		if n <= 0 {
			return errno == nil
		}
		p.send(buf, n)
		left -= int32(n)
	}
	return false
}

func (p *pump) send(buf *wire.Buffer, n int) {
	if n > 0 && !p.lost {
		p.lost = p.s.WriteBuffer(buf, n) != nil
	}
}

// lookPath finds a program as a shell would, and says why where it does not.
func lookPath(name, dir, path string) (string, error) {
	if name == "" {
		return "", &wire.Error{Code: wire.CodeInvalid, Text: "empty command"}
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	var denied error
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		file := filepath.Join(d, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if e := wireError(err); e.Code == wire.CodeNotExec || e.Code == wire.CodePermission {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &wire.Error{Code: wire.CodeNoCommand, Text: fmt.Sprintf("%q: command not found in PATH=%s", name, path)}
}

func executable(file string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &wire.Error{Code: wire.CodeNoCommand, Text: fmt.Sprintf("%s: command not found", file)}
	}
	if err != nil {
		return describe("command", err)
	}
	if info.IsDir() {
		return &wire.Error{Code: wire.CodeIsDir, Text: fmt.Sprintf("command %q is a directory", file)}
	}
	const xOK = 1
	if err := syscall.Access(file, xOK); err != nil {
		return &wire.Error{Code: wire.CodeNotExec, Text: fmt.Sprintf("command %q is not executable", file)}
	}
	return nil
}

// mergeEnv lays entries over env; the last of a name wins.
func mergeEnv(env []string, entries [][]byte) []string {
	if len(entries) == 0 {
		return env
	}
	out := make([]string, 0, len(env)+len(entries))
	at := make(map[string]int, len(env)+len(entries))
	add := func(entry string) {
		name, _, _ := strings.Cut(entry, "=")
		if i, ok := at[name]; ok {
			out[i] = entry
			return
		}
		at[name] = len(out)
		out = append(out, entry)
	}
	for _, e := range env {
		add(e)
	}
	for _, e := range entries {
		add(string(e))
	}
	return out
}

func envValue(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
