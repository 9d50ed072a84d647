//go:build linux

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// process is a command that was started, with the pumps that move its output.
type process struct {
	*job
	m     *wire.Exec
	stdio *stdio
	limit <-chan time.Time // its timeout
	pumps []*pump
	// allowed is how much the pumps may pass; nil is no limit.
	allowed *allowance
}

// starter starts a job. That of a background job is jobs.start. That of a call also checks,
// under the call's lock, that the call was not canceled, so a cancel finds either a job that
// it can end or a call that will not start one.
type starter func(path string, argv []string, attr *syscall.ProcAttr) (*job, error)

// launch starts a command, whose job begin starts.
func (g *guest) launch(m *wire.Exec, begin starter) (*process, error) {
	argv := make([]string, len(m.Args))
	for i, a := range m.Args {
		argv[i] = string(a)
	}
	env := mergeEnv(g.env, m.Env)
	if m.Terminal != nil && envValue(env, "TERM") == "" {
		env = mergeEnv(env, [][]byte{[]byte("TERM=xterm-256color")})
	}
	dir := g.abs(string(m.Dir))
	if info, err := os.Stat(dir); err != nil {
		return nil, describe("working directory", err)
	} else if !info.IsDir() {
		return nil, wire.Errorf(wire.CodeNotDir, "working directory %q is not a directory", dir)
	}
	path, err := lookPath(string(m.Path), dir, envValue(env, "PATH"))
	if err != nil {
		return nil, err
	}
	f, err := openStdio(m)
	if err != nil {
		g.jobs.mu.Lock()
		g.jobs.tampered()
		g.jobs.mu.Unlock()
		return nil, err
	}
	attr := &syscall.ProcAttr{Dir: dir, Env: env, Files: f.child,
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: f.terminal != nil}}
	p := &process{m: m, stdio: f}
	p.job, err = p.begin(path, argv, attr, begin)
	if err != nil {
		f.closeOurs()
		return nil, describe(path, err)
	}
	return p, nil
}

// begin starts the job of a command, and closes the child's files.
func (p *process) begin(path string, argv []string, attr *syscall.ProcAttr, begin starter) (*job, error) {
	defer p.stdio.closeChild()
	program, err := newProgram(path, argv, p.m.Limits, attr)
	if err != nil {
		return nil, err
	}
	j, err := begin(program.path, program.argv, attr)
	if failed := program.failure(); err == nil && failed != nil {
		// Nothing of the command itself has started.
		j.finish(ending{why: canceled, now: true})
		<-j.exited
		err = failed
	}
	return j, err
}

// pump starts to move output. stderr is nil if it is joined with stdout.
func (p *process) pump(stdout, stderr taker) {
	if p.m.MaxOutput > 0 {
		p.allowed = &allowance{exceed: func() { p.job.finish(ending{why: outputExceeded}) }}
		p.allowed.remaining.Store(p.m.MaxOutput)
	}
	p.pumps = append(p.pumps, newPump(p.stdio.stdout, stdout, p.allowed, p.stdio.terminal != nil))
	if p.stdio.stderr != nil {
		p.pumps = append(p.pumps, newPump(p.stdio.stderr, stderr, p.allowed, false))
	}
	if p.m.Timeout > 0 {
		p.limit = time.After(time.Duration(p.m.Timeout))
	}
}

// end waits for the command's end, and until the output that it wrote by then is taken.
func (p *process) end() *wire.Exited {
	x := p.job.wait(p.limit, time.Duration(p.m.Grace))
	for _, p := range p.pumps {
		p.leaderGone()
	}
	p.drain(x)
	if p.allowed.exceeded() {
		because(x, outputExceeded) // also if it ended before it was told to
	}
	return x
}

// drain waits until the reader has taken all that the job wrote. If the job was ended, or is
// ended now, it gives up after unreadGrace: a pump whose reader takes nothing would wait for
// ever, and whoever ended the job is to hear how that went.
func (p *process) drain(x *wire.Exited) {
	var expired <-chan time.Time
	if x.Rung != "" {
		expired = time.After(unreadGrace)
	}
	limit := p.limit
	for _, one := range p.pumps {
		for waiting := true; waiting; {
			select {
			case <-one.drained:
				waiting = false
				x.Unread = x.Unread || one.lost
			case <-limit:
				limit = nil
				because(x, timedOut)
				expired = time.After(unreadGrace)
			case e := <-p.job.stop:
				if e.why != outputExceeded {
					expired = time.After(unreadGrace)
				}
				because(x, e.why)
			case <-expired:
				for _, p := range p.pumps {
					p.to.Abort(errAborted)
				}
			}
		}
	}
}

// unreadGrace is how long the output of a command waits for its reader after the command was
// ended.
const unreadGrace = 2 * time.Second

// exec runs a command. It returns when the first process has ended and the output that was
// written by then has been sent.
func (c *call) exec(m *wire.Exec) (any, error) {
	p, err := c.s.launch(m, c.startJob)
	if err != nil {
		return nil, err
	}
	if f := p.stdio; f.terminal != nil {
		c.terminal(f.terminal)
		if m.Stdin {
			go feedTerminal(f.terminal, c.stream)
		}
	} else if f.stdin != nil {
		go feed(f.stdin, c.stream)
	}
	if p.stdio.control != nil {
		defer c.join(p.stdio.control)()
	}
	to := func(s *wire.Stream) *hostStream { return &hostStream{s, c.s.splicer, c.s.jobs.end} }
	p.pump(to(c.stream), to(c.stderr))
	return p.end(), nil
}

// join connects the control socket with its stream. leave ends that.
func (c *call) join(control *os.File) (leave func()) {
	go func() {
		if _, err := c.control.WriteTo(control); err != nil {
			c.control.CloseRead()
		}
		if raw, err := control.SyscallConn(); err == nil {
			// On a closed socket there is nothing left to shut.
			_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
		}
	}()
	p := newPump(control, c.control, nil, false)
	return func() {
		p.leaderGone()
		select {
		case <-p.drained:
		case <-time.After(unreadGrace):
			c.control.Abort(errAborted)
			<-p.drained
		}
	}
}

// startJob starts the call's job, unless the call was canceled before. It is a starter.
func (c *call) startJob(path string, argv []string, attr *syscall.ProcAttr) (*job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.canceled {
		return nil, errAborted
	}
	j, err := c.s.jobs.start(path, argv, attr)
	if err != nil {
		return nil, err
	}
	c.job = j
	for _, number := range c.early {
		j.signal(number)
	}
	return j, nil
}

// feed copies the host's bytes to a command's stdin until either end closes.
func feed(stdin *os.File, s *wire.Stream) {
	if _, err := s.WriteTo(stdin); err != nil {
		s.CloseRead()
	}
	stdin.Close()
}

// feedTerminal is feed for a terminal, which has no end to close.
func feedTerminal(terminal *os.File, s *wire.Stream) {
	if _, err := s.WriteTo(terminal); err != nil {
		s.CloseRead()
		return
	}
	// If the terminal is gone, so is the reader of the end.
	_, _ = terminal.WriteString(endOfInput)
}

// lookPath finds a program as a shell would. Its error tells a program that is not there from
// one that cannot be executed.
func lookPath(name, dir, path string) (string, error) {
	if name == "" {
		return "", wire.Invalid("empty command")
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
	return "", wire.Errorf(wire.CodeNoCommand, "%q: command not found in PATH=%s", name, path)
}

func executable(file string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.CodeNoCommand, "%s: command not found", file)
	}
	if err != nil {
		return describe("command", err)
	}
	if info.IsDir() {
		return wire.Errorf(wire.CodeIsDir, "command %q is a directory", file)
	}
	const xOK = 1
	if err := syscall.Access(file, xOK); err != nil {
		return wire.Errorf(wire.CodeNotExec, "command %q is not executable", file)
	}
	return nil
}

// mergeEnv adds entries to env. Of several with one name the last one counts.
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
