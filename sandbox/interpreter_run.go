package sandbox

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/interpreter"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// execution is a run under way.
type execution struct {
	id          uint32
	x           *Execution
	size        int           // bytes of the displays
	shown       int           // how many displays ExecutionOptions.Display has been called with
	displayed   chan struct{} // has an element if there are new displays
	sent        bool          // the code has been sent to the interpreter
	prompted    bool          // a prompt came before the code was sent
	begun       bool          // the code can be interrupted
	interrupted bool
	reported    bool
	marked      [2]bool // the mark has come on stdout, on stderr
	done        chan struct{}
}

// report records the outcome of the run. Like all methods of execution it is called with the
// lock of the process.
func (r *execution) report(m *interpreter.Message) {
	r.reported = true
	r.x.ExitCode = m.Exit
	if m.Asked && m.Exit == 0 {
		// Not every shell has an exit code for code that it abandoned. POSIX has 2 for a syntax
		// error, and for SIGINT a code above 128.
		r.x.ExitCode = 2
		if r.interrupted {
			r.x.ExitCode = 128 + int(SIGINT)
		}
	}
	r.x.UserTime, r.x.SystemTime = seconds(m.User), seconds(m.System)
	if e := m.Exception; e != nil {
		r.x.Exception = &Exception{Name: e.Name, Value: e.Value, Text: e.Text}
		for _, f := range e.Traceback {
			r.x.Exception.Traceback = append(r.x.Exception.Traceback, Frame(f))
		}
	}
	r.endIfComplete()
}

// keep keeps a display, unless there are too many.
func (r *execution) keep(d Display) {
	for _, data := range d.Data {
		r.size += len(data)
	}
	if r.size > maxDisplays || len(r.x.Displays) >= maxDisplayCount {
		r.x.DisplaysDropped++
		return
	}
	r.x.Displays = append(r.x.Displays, d)
	select {
	case r.displayed <- struct{}{}:
	default: // the element is there already
	}
}

// The displays that an Execution keeps.
const (
	maxDisplays     = 64 << 20 // bytes of all together
	maxDisplayCount = 1000
)

const (
	// markTimeout is how long the marks may take after the report of a run's end.
	markTimeout = time.Second
	// promptTimeout is how long a prompt may take after an interrupt.
	promptTimeout = 100 * time.Millisecond
)

// seconds converts a time that the interpreter reports. An impossible time is 0.
func seconds(s float64) time.Duration {
	if s > 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	return 0
}

// endIfComplete ends the run if the report and both marks have come.
func (r *execution) endIfComplete() {
	if r.reported && r.marked == [2]bool{true, true} {
		r.end()
	}
}

func (r *execution) end() {
	select {
	case <-r.done:
	default:
		close(r.done)
	}
}

// run runs code. It is called by one goroutine at a time.
func (p *interpreterProcess) run(ctx context.Context, code string, o *ExecutionOptions) (*Execution, error) {
	r := &execution{x: &Execution{Result: Result{Outcome: Exited, Rung: RungNone}},
		displayed: make(chan struct{}, 1), done: make(chan struct{})}
	p.mu.Lock()
	if p.lastRun > 0 {
		select {
		case <-p.interrupts: // one for an earlier run, which had ended
		default:
		}
	}
	p.lastRun++
	r.id = p.lastRun
	p.current = r
	p.mu.Unlock()
	p.cmd.call.Quiet(false)
	size := cmp.Or(o.Capture, DefaultCapture)
	kept := [2]*capture{newCapture(size), newCapture(size)}
	p.stdout.begin(o.Stdout, kept[0])
	p.stderr.begin(o.Stderr, kept[1])
	start := time.Now()
	sendErr := p.send(p.lang.Run(p.mark, r.id, code))
	p.mu.Lock()
	r.sent = true
	ask := r.prompted
	p.mu.Unlock()
	if ask {
		p.ask(r)
	}
	err := p.watch(ctx, r, o)
	p.show(r, o)
	x := r.x
	x.Duration = time.Since(start)
	p.mu.Lock()
	p.current = nil
	p.mu.Unlock()
	writeErr := errors.Join(p.stdout.end(), p.stderr.end())
	p.cmd.call.Quiet(true)
	x.Stdout, x.StdoutDropped = kept[0].bytes()
	x.Stderr, x.StderrDropped = kept[1].bytes()
	if err == nil && writeErr != nil {
		// Errors of the caller's writers: the sandbox is not lost.
		err = &Error{Op: "run code", Name: p.cmd.name(), Err: writeErr}
	}
	if err == nil && sendErr != nil && !x.StateLost {
		err = sendErr
	}
	return x, err
}

// watch waits for the end of a run. It interrupts the code at its Timeout, on Interrupt and when
// ctx ends, and kills the process if the code has not stopped after the grace.
func (p *interpreterProcess) watch(ctx context.Context, r *execution, o *ExecutionOptions) error {
	grace := (&Command{Grace: o.Grace}).grace()
	var timeout, graceEnd <-chan time.Time
	if o.Timeout > 0 {
		t := time.NewTimer(o.Timeout)
		defer t.Stop()
		timeout = t.C
	}
	canceled, x := ctx.Done(), r.x
	stop := func(why Outcome) {
		if x.Outcome == Exited {
			x.Outcome = why
		}
		timeout, canceled = nil, nil
		if graceEnd == nil {
			x.Rung = RungInterrupt
			p.interrupt(r)
			t := time.NewTimer(grace)
			graceEnd = t.C
		}
	}
	for {
		select {
		case <-r.displayed:
			p.show(r, o)
		case <-r.done:
			return p.cancellation(ctx, x)
		case <-p.ended:
			return p.lost(ctx, r)
		case <-timeout:
			stop(TimedOut)
		case <-p.interrupts:
			stop(Canceled)
		case <-canceled:
			stop(Canceled)
		case <-graceEnd:
			x.Rung = RungKill
			p.cmd.cancel(true)
			graceEnd = nil
		}
	}
}

// show calls ExecutionOptions.Display with the displays that have come.
func (p *interpreterProcess) show(r *execution, o *ExecutionOptions) {
	if o.Display == nil {
		return
	}
	p.mu.Lock()
	all := r.x.Displays
	p.mu.Unlock()
	for ; r.shown < len(all); r.shown++ {
		o.Display(all[r.shown])
	}
}

// cancellation returns the cause of ctx if the end of ctx stopped the run, else nil.
func (p *interpreterProcess) cancellation(ctx context.Context, x *Execution) error {
	cause := context.Cause(ctx)
	if cause == nil || x.Outcome != Canceled {
		return nil
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		x.Outcome = TimedOut
	}
	return cause
}

// interrupt interrupts the code of a run as Ctrl-C does.
func (p *interpreterProcess) interrupt(r *execution) {
	p.mu.Lock()
	r.interrupted = true
	early := p.lang.Begins && !r.begun
	p.mu.Unlock()
	if !early {
		// It fails only if the process or the channel has ended.
		_ = p.cmd.Signal(SIGINT)
	}
	if p.lang.Interrupt != nil {
		_ = p.send(p.lang.Interrupt(r.id))
	}
	if p.lang.Ask != nil {
		// If the code has redirected the shell's streams, the prompt does not come.
		time.AfterFunc(promptTimeout, func() { p.ask(r) })
	}
}

// lost completes a run whose process has ended.
func (p *interpreterProcess) lost(ctx context.Context, r *execution) error {
	x := r.x
	x.StateLost = true
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endKnown = true
	if p.result == nil {
		return p.cause
	}
	stopOutcome, rung := x.Outcome, x.Rung
	reported := r.reported
	exit := x.ExitCode
	x.Result = *p.result
	switch {
	case p.cause != nil:
		return p.cause
	case stopOutcome != Exited: // it was stopped
		x.Outcome, x.Rung = stopOutcome, rung
		return p.cancellation(ctx, x)
	case p.killed:
		x.Outcome = Canceled
	case p.violation != nil:
		x.Outcome, x.Rung, x.Signal = Signaled, RungKill, SIGKILL.String()
		x.Exception = &Exception{Name: "InterpreterError",
			Value: "the code wrote to the interpreter's own socket: " + printable.Text(p.violation.Error())}
		x.Exception.Text = x.Exception.Name + ": " + x.Exception.Value
	case reported && x.Outcome == Exited:
		x.ExitCode = exit // it ended after the code did
	}
	return nil
}
