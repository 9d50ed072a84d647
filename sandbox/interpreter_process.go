package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/interpreter"
)

// interpreterProcess is one process of an Interpreter, from its start to its end.
type interpreterProcess struct {
	lang *interpreter.Language
	mark string
	cmd  *Command

	sending sync.Mutex
	code    io.Writer // where code is sent to

	out, err interpreterStream
	version  string

	ready  chan struct{}
	wishes chan struct{} // to interrupt the run under way
	ended  chan struct{} // closed after the next three are set
	result *Result
	cause  error
	broken error // what it said that was no message

	mu      sync.Mutex
	last    uint32     // number of a run
	current *execution // the one under way
	killed  bool       // by Close or Restart
	gone    bool       // a run has told of the end
	owed    [2]bool    // a report's mark has come on a stream, and not yet the prompt after it
}

// execution is a run under way.
type execution struct {
	id          uint32
	x           *Execution
	size        int           // of the displays
	shown       int           // how many of them ExecutionOptions.Display knows
	more        chan struct{} // there are more
	sent        bool          // the code has been sent
	prompted    bool          // a prompt came before that
	begun       bool          // the code can be interrupted
	interrupted bool
	reported    bool
	marked      [2]bool // its marks on stdout and stderr have come
	over        chan struct{}
}

// startInterpreter starts a process. It can run code after await.
func (sb *Sandbox) startInterpreter(ctx context.Context, lang Language, o *InterpreterOptions) (*interpreterProcess, error) {
	p := &interpreterProcess{
		lang: interpreter.Languages[string(lang)], mark: interpreter.NewMark(),
		ready: make(chan struct{}), wishes: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	program := p.lang.Program
	if o.Path != "" {
		program = o.Path
	}
	p.cmd = sb.Command(program, p.lang.Args...)
	p.cmd.Env, p.cmd.Dir = append(p.lang.Env[:len(p.lang.Env):len(p.lang.Env)], o.Env...), o.Dir
	p.cmd.control, p.cmd.label = true, program // the arguments are ours
	p.out.open(p, 0)
	p.err.open(p, 1)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
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
	heard := make(chan error, 1)
	go func() {
		err := interpreter.Messages(control, p.message)
		if err != nil {
			// What it says from here on cannot be told apart.
			p.cmd.cancel(true)
			_, _ = io.Copy(io.Discard, control)
		}
		heard <- err
	}()
	go func() {
		defer close(p.ended)
		p.result, p.cause = p.cmd.Wait()
		p.broken = <-heard
		p.out.flush()
		p.err.flush()
	}()
	return p, nil
}

// await sends what makes it ready and waits until it is.
func (p *interpreterProcess) await(ctx context.Context, patience time.Duration, svg bool) error {
	// Of one that does not start the end says more than the write.
	go func() { _ = p.send(p.lang.Boot(p.mark, svg)) }()
	late := time.NewTimer(patience)
	defer late.Stop()
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
		case p.told():
			return errors.New("the interpreter was closed or restarted while it started")
		}
		said, _ := p.err.kept.bytes()
		return fmt.Errorf("the interpreter ended before it could run code: %w", &ExitError{&Result{
			Outcome: p.result.Outcome, ExitCode: p.result.ExitCode, Signal: p.result.Signal, Stderr: said}})
	case <-ctx.Done():
		p.kill()
		return context.Cause(ctx)
	case <-late.C:
		p.kill()
		return fmt.Errorf("the interpreter did not start within %v", patience)
	}
}

// over reports whether the process has ended.
func (p *interpreterProcess) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// told reports whether somebody knows that the process has ended.
func (p *interpreterProcess) told() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone || p.killed
}

// kill ends the process and all that came of it, and returns when it is gone.
func (p *interpreterProcess) kill() {
	if p == nil || p.over() {
		return
	}
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.cmd.cancel(true)
	<-p.ended
}

// wish asks for an interrupt of the run under way.
func (p *interpreterProcess) wish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil && p.last > 0 {
		return // no code runs, and none waits for the start
	}
	select {
	case p.wishes <- struct{}{}:
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
			p.version = printable(m.Ready)
			close(p.ready)
		}
	case r == nil:
	case m.Begun == r.id:
		r.begun = true
		early = r.interrupted // before the code could hear of it
	case m.Done == r.id && !r.reported:
		r.report(m)
		// Code that has closed its streams has closed the way of the marks as well.
		time.AfterFunc(markPatience, func() { p.abandon(r) })
	case len(m.Display) > 0:
		r.keep(Display{Data: m.Display, Value: m.Value})
	}
}

// report takes what came of the run. As all methods of execution it needs the lock of the
// process.
func (r *execution) report(m *interpreter.Message) {
	r.reported = true
	r.x.ExitCode = m.Exit
	if m.Asked && m.Exit == 0 {
		// Not every shell tells the code of what it gave up. These are POSIX's for a syntax
		// error and, with the usual 128, for SIGINT.
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
	r.settle()
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
	case r.more <- struct{}{}:
	default: // it is known that there are
	}
}

// What an Execution keeps of displays, in bytes and how many.
const (
	maxDisplays     = 64 << 20
	maxDisplayCount = 1000
)

// markPatience is how long the marks may take after the report of a run's end, and
// promptPatience a prompt after an interrupt.
const (
	markPatience   = time.Second
	promptPatience = 100 * time.Millisecond
)

// seconds is a time that the interpreter tells, which may be anything.
func seconds(s float64) time.Duration {
	if s > 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	return 0
}

// settle ends the run when all there is to come has come.
func (r *execution) settle() {
	if r.reported && r.marked == [2]bool{true, true} {
		r.end()
	}
}

func (r *execution) end() {
	select {
	case <-r.over:
	default:
		close(r.over)
	}
}

func (p *interpreterProcess) abandon(r *execution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.end()
}

// found takes a mark on a stream, 0 being stdout and 1 stderr.
func (p *interpreterProcess) found(stream int, run uint32) {
	p.mu.Lock()
	if run != interpreter.Prompt {
		p.owed[stream] = true
	}
	r := p.current
	ask := false
	switch {
	case run == interpreter.Prompt && p.owed[stream]:
		p.owed[stream] = false
	case r == nil:
	case run == r.id:
		r.marked[stream] = true
		r.settle()
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

// run runs code. There is one at a time.
func (p *interpreterProcess) run(ctx context.Context, code string, o *ExecutionOptions) (*Execution, error) {
	r := &execution{x: &Execution{Result: Result{Outcome: Exited, Rung: RungNone}},
		more: make(chan struct{}, 1), over: make(chan struct{})}
	p.mu.Lock()
	if p.last > 0 {
		select {
		case <-p.wishes: // of a run that ended before it was heard
		default:
		}
	}
	p.last++
	r.id = p.last
	p.current = r
	p.mu.Unlock()
	p.cmd.call.Quiet(false)
	limit := o.Capture
	if limit == 0 {
		limit = DefaultCapture
	}
	kept := [2]*capture{newCapture(limit), newCapture(limit)}
	p.out.begin(o.Stdout, kept[0])
	p.err.begin(o.Stderr, kept[1])
	start := time.Now()
	sent := p.send(p.lang.Run(p.mark, r.id, code))
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
	failed := errors.Join(p.out.end(), p.err.end())
	p.cmd.call.Quiet(true)
	x.Stdout, x.StdoutDropped = kept[0].bytes()
	x.Stderr, x.StderrDropped = kept[1].bytes()
	if err == nil && failed != nil {
		// These are the caller's, and say nothing of the sandbox.
		err = &Error{Op: "run code", Name: p.cmd.name(), Err: failed}
	}
	if err == nil && sent != nil && !x.StateLost {
		err = sent
	}
	return x, err
}

// watch waits for the end of a run, and brings it about where it is time.
func (p *interpreterProcess) watch(ctx context.Context, r *execution, o *ExecutionOptions) error {
	grace := (&Command{Grace: o.Grace}).grace()
	var limit, enough <-chan time.Time
	if o.Timeout > 0 {
		t := time.NewTimer(o.Timeout)
		defer t.Stop()
		limit = t.C
	}
	done, x := ctx.Done(), r.x
	stop := func(why Outcome) {
		if x.Outcome == Exited {
			x.Outcome = why
		}
		limit, done = nil, nil
		if enough == nil {
			x.Rung = RungInterrupt
			p.interrupt(r)
			t := time.NewTimer(grace)
			enough = t.C
		}
	}
	for {
		select {
		case <-r.more:
			p.show(r, o)
		case <-r.over:
			return p.cancellation(ctx, x)
		case <-p.ended:
			return p.lost(ctx, r)
		case <-limit:
			stop(TimedOut)
		case <-p.wishes:
			stop(Canceled)
		case <-done:
			stop(Canceled)
		case <-enough:
			x.Rung = RungKill
			p.cmd.cancel(true)
			enough = nil
		}
	}
}

// show tells of the displays that have come.
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

// cancellation is the error of a run that the end of its context stopped.
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

// interrupt does what Ctrl-C does.
func (p *interpreterProcess) interrupt(r *execution) {
	p.mu.Lock()
	r.interrupted = true
	early := p.lang.Begins && !r.begun
	p.mu.Unlock()
	if !early {
		// Where the channel is gone the process has ended.
		_ = p.cmd.Signal(SIGINT)
	}
	if p.lang.Interrupt != nil {
		_ = p.send(p.lang.Interrupt(r.id))
	}
	if p.lang.Ask != nil {
		// Code that has sent the shell's streams elsewhere has taken the prompt with them.
		time.AfterFunc(promptPatience, func() { p.ask(r) })
	}
}

// lost completes a run whose process has ended.
func (p *interpreterProcess) lost(ctx context.Context, r *execution) error {
	x := r.x
	x.StateLost = true
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	if p.result == nil {
		return p.cause
	}
	by, rung := x.Outcome, x.Rung
	reported := r.reported
	exit := x.ExitCode
	x.Result = *p.result
	switch {
	case p.cause != nil:
		return p.cause
	case by != Exited: // it was stopped
		x.Outcome, x.Rung = by, rung
		return p.cancellation(ctx, x)
	case p.killed:
		x.Outcome = Canceled
	case p.broken != nil:
		x.Outcome, x.Rung, x.Signal = Signaled, RungKill, SIGKILL.String()
		x.Exception = &Exception{Name: "InterpreterError",
			Value: "the code wrote to the interpreter's own socket: " + printable(p.broken.Error())}
		x.Exception.Text = x.Exception.Name + ": " + x.Exception.Value
	case reported && x.Outcome == Exited:
		x.ExitCode = exit // it ended after the code did
	}
	return nil
}

// interpreterStream is stdout or stderr of an interpreter.
type interpreterStream struct {
	scan interpreter.Scanner

	mu   sync.Mutex
	to   io.Writer // of the run under way
	kept *capture  // of the run under way, or for the next one
	err  error     // of to
}

func (s *interpreterStream) open(p *interpreterProcess, number int) {
	s.kept = newCapture(DefaultCapture)
	s.scan = interpreter.Scanner{Mark: p.mark, Write: s.take, Found: func(run uint32) { p.found(number, run) }}
}

// Write implements io.Writer for the Command.
func (s *interpreterStream) Write(b []byte) (int, error) { return len(b), s.scan.Scan(b) }

func (s *interpreterStream) flush() { _ = s.scan.End() }

// take never fails: code whose output is not wanted goes on.
func (s *interpreterStream) take(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.to == nil:
		s.kept.write(b)
	case s.err == nil:
		var n int
		if n, s.err = s.to.Write(b); s.err == nil && n < len(b) {
			s.err = io.ErrShortWrite
		}
	}
	return nil
}

// begin directs the stream to a run's writer, or into kept, and hands over what came
// since the last one.
func (s *interpreterStream) begin(to io.Writer, kept *capture) {
	s.mu.Lock()
	early, _ := s.kept.bytes()
	s.to, s.kept, s.err = to, kept, nil
	s.mu.Unlock()
	if len(early) > 0 {
		_ = s.take(early)
	}
}

// end directs it to where the next run finds it.
func (s *interpreterStream) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to, s.kept = nil, newCapture(DefaultCapture)
	return s.err
}
