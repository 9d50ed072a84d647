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
	code    io.Writer // takes the code: its stdin or its control socket

	stdout, stderr interpreterStream
	version        string

	ready      chan struct{}
	interrupts chan struct{} // has an element if the run under way is to be interrupted
	ended      chan struct{} // closed after the next three are set
	result     *Result
	cause      error
	violation  error // why its messages could not be read

	mu            sync.Mutex
	lastRun       uint32     // the number of the newest run
	current       *execution // the run under way, or nil
	killed        bool       // by Close or Restart
	endKnown      bool       // the caller of a run knows that the process has ended
	pendingPrompt [2]bool    // the shell's prompt after a report is still to come, for stdout and stderr
}

// startInterpreter starts a process. Call await before it runs code.
func (sb *Sandbox) startInterpreter(ctx context.Context, lang Language, o *InterpreterOptions) (*interpreterProcess, error) {
	p := &interpreterProcess{
		lang: interpreter.Languages[string(lang)], mark: interpreter.NewMark(),
		ready: make(chan struct{}), interrupts: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	program := cmp.Or(o.Path, p.lang.Program)
	p.cmd = sb.Command(program, p.lang.Args...)
	p.cmd.Env, p.cmd.Dir = append(p.lang.Env[:len(p.lang.Env):len(p.lang.Env)], o.Env...), o.Dir
	p.cmd.control, p.cmd.label = true, program // a caller has not seen the arguments
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
	// The process outlives the call that starts it.
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
			// After a broken message the next one cannot be found.
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

// await sends the code that prepares the interpreter, and waits until it is ready.
func (p *interpreterProcess) await(ctx context.Context, timeout time.Duration, svg bool) error {
	// If the process does not start, its end says more than the error of this write.
	go func() { _ = p.send(p.lang.Boot(p.mark, svg)) }()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.ready:
		p.cmd.call.Quiet(true)
		if p.lang.Stdin {
			// This discards what the shell prints at its start.
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

// isEndKnown reports whether the caller knows that the process has ended: because a run
// reported it, or because Close or Restart ended it.
func (p *interpreterProcess) isEndKnown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endKnown || p.killed
}

// kill ends the process and all processes that came of it, and returns when they are gone.
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
		return // no code runs, and no Run waits for the start
	}
	select {
	case p.interrupts <- struct{}{}:
	default: // there is one already
	}
}

// message handles a message of the interpreter. One goroutine calls it.
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
		early = r.interrupted // it was interrupted before the code could get the signal
	case m.Done == r.id && !r.reported:
		r.report(m)
		// If the code has closed its streams, the marks cannot come.
		time.AfterFunc(markTimeout, func() { p.abandon(r) })
	case len(m.Display) > 0:
		r.keep(Display{Data: m.Display, Value: m.Value})
	}
}

// abandon ends a run whose marks have not come in time.
func (p *interpreterProcess) abandon(r *execution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.end()
}

// markFound handles a mark on a stream: 0 is stdout and 1 is stderr.
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

// ask asks the shell for the report of a run. The shell does not send one by itself if it has
// abandoned the code, after a syntax error or an interrupt.
func (p *interpreterProcess) ask(r *execution) {
	p.mu.Lock()
	asked := p.lang.Ask != nil && p.current == r && !r.reported
	p.mu.Unlock()
	if asked {
		// If this write fails, the end of the process says why.
		_ = p.send(p.lang.Ask(p.mark, r.id))
	}
}

// send sends code to the interpreter.
func (p *interpreterProcess) send(b []byte) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	_, err := p.code.Write(b)
	return err
}
