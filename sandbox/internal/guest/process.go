//go:build linux

package guest

import (
	"os"
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
