package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/interpreter"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// interpreterProcess is one process of an Interpreter, from its start to its end.
type interpreterProcess struct {
	lang *interpreter.Language
	mark string
	cmd  *Command

	sending sync.Mutex
	code    io.Writer // where code is sent to

	stdout, stderr interpreterStream
	version        string

	ready      chan struct{}
	interrupts chan struct{} // to interrupt the run under way
	ended      chan struct{} // closed after the next three are set
	result     *Result
	cause      error
	violation  error // what it said that was no message

	mu            sync.Mutex
	lastRun       uint32     // number of a run
	current       *execution // the one under way
	killed        bool       // by Close or Restart
	endKnown      bool       // a run has told of the end
	pendingPrompt [2]bool    // the prompt after a report is still to come, per stream
}

// startInterpreter starts a process. It can run code after await.
func (sb *Sandbox) startInterpreter(ctx context.Context, lang Language, o *InterpreterOptions) (*interpreterProcess, error) {
	p := &interpreterProcess{
		lang: interpreter.Languages[string(lang)], mark: interpreter.NewMark(),
		ready: make(chan struct{}), interrupts: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	program := cmp.Or(o.Path, p.lang.Program)
	p.cmd = sb.Command(program, p.lang.Args...)
	p.cmd.Env, p.cmd.Dir = append(p.lang.Env[:len(p.lang.Env):len(p.lang.Env)], o.Env...), o.Dir
	p.cmd.control, p.cmd.label = true, program // the arguments are ours
	p.stdout.open(p, 0)
	p.stderr.open(p, 1)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	var stdin io.WriteCloser
	if p.lang.Stdin {
		var err error
		if stdin, err = p.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	// It outlives the call that starts it.
	if err := p.cmd.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	control := p.cmd.call.Control
	p.code = control
	if p.lang.Stdin {
		p.code = stdin
	}
	messagesErr := make(chan error, 1)
	go func() {
		err := interpreter.Messages(control, p.message)
		if err != nil {
			// What it says from here on cannot be told apart.
			p.cmd.cancel(true)
			_, _ = io.Copy(io.Discard, control)
		}
		messagesErr <- err
	}()
	go func() {
		defer close(p.ended)
		p.result, p.cause = p.cmd.Wait()
		p.violation = <-messagesErr
		p.stdout.flush()
		p.stderr.flush()
	}()
	return p, nil
}

// await sends what makes it ready and waits until it is.
func (p *interpreterProcess) await(ctx context.Context, timeout time.Duration, svg bool) error {
	// Of one that does not start the end says more than the write.
	go func() { _ = p.send(p.lang.Boot(p.mark, svg)) }()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.ready:
		p.cmd.call.Quiet(true)
		if p.lang.Stdin {
			// What a shell says of itself at its start is no run's output.
			if _, err := p.run(ctx, ":", &ExecutionOptions{}); err != nil {
				p.kill()
				return err
			}
		}
		return nil
	case <-p.ended:
		switch {
		case p.cause != nil:
			return p.cause
		case p.isEndKnown():
			return errors.New("the interpreter was closed or restarted while it started")
		}
		said, _ := p.stderr.kept.bytes()
		return fmt.Errorf("the interpreter ended before it could run code: %w", &ExitError{&Result{
			Outcome: p.result.Outcome, ExitCode: p.result.ExitCode, Signal: p.result.Signal, Stderr: said}})
	case <-ctx.Done():
		p.kill()
		return context.Cause(ctx)
	case <-timer.C:
		p.kill()
		return fmt.Errorf("the interpreter did not start within %v", timeout)
	}
}

// hasEnded reports whether the process has ended.
func (p *interpreterProcess) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// isEndKnown reports whether somebody knows that the process has ended.
func (p *interpreterProcess) isEndKnown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endKnown || p.killed
}

// kill ends the process and all that came of it, and returns when it is gone.
func (p *interpreterProcess) kill() {
	if p == nil || p.hasEnded() {
		return
	}
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.cmd.cancel(true)
	<-p.ended
}

// requestInterrupt asks for an interrupt of the run under way.
func (p *interpreterProcess) requestInterrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil && p.lastRun > 0 {
		return // no code runs, and none waits for the start
	}
	select {
	case p.interrupts <- struct{}{}:
	default: // there is one already
	}
}

// message takes what the interpreter says. It is called by one goroutine.
func (p *interpreterProcess) message(m *interpreter.Message) {
	early := false
	defer func() {
		if early {
			_ = p.cmd.Signal(SIGINT)
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.current
	switch {
	case m.Ready != "":
		if p.version == "" {
			p.version = printable.Text(m.Ready)
			close(p.ready)
		}
	case r == nil:
	case m.Begun == r.id:
		r.begun = true
		early = r.interrupted // before the code could hear of it
	case m.Done == r.id && !r.reported:
		r.report(m)
		// Code that has closed its streams has closed the way of the marks as well.
		time.AfterFunc(markTimeout, func() { p.abandon(r) })
	case len(m.Display) > 0:
		r.keep(Display{Data: m.Display, Value: m.Value})
	}
}

func (p *interpreterProcess) abandon(r *execution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.end()
}

// markFound takes a mark on a stream, 0 being stdout and 1 stderr.
func (p *interpreterProcess) markFound(stream int, run uint32) {
	p.mu.Lock()
	if run != interpreter.Prompt {
		p.pendingPrompt[stream] = true
	}
	r := p.current
	ask := false
	switch {
	case run == interpreter.Prompt && p.pendingPrompt[stream]:
		p.pendingPrompt[stream] = false
	case r == nil:
	case run == r.id:
		r.marked[stream] = true
		r.endIfComplete()
	case run == interpreter.Prompt:
		ask, r.prompted = r.sent, true
	}
	p.mu.Unlock()
	if ask {
		p.ask(r)
	}
}

// ask asks for the report of a run that the shell has given up, or will have done.
func (p *interpreterProcess) ask(r *execution) {
	p.mu.Lock()
	asked := p.lang.Ask != nil && p.current == r && !r.reported
	p.mu.Unlock()
	if asked {
		// The end of the process says what there is to say of a write that fails.
		_ = p.send(p.lang.Ask(p.mark, r.id))
	}
}

// send sends to the interpreter.
func (p *interpreterProcess) send(b []byte) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	_, err := p.code.Write(b)
	return err
}
