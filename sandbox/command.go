package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// DefaultGrace is how long a command has between SIGTERM and SIGKILL.
const DefaultGrace = 2 * time.Second

// answerTimeout is how long after the ladder's end the guest may take to say how it went,
// before the sandbox itself is ended.
const answerTimeout = 10 * time.Second

// Command is a program to run in a sandbox, in the shape of exec.Cmd. Set its fields,
// then call Run, or Start and Wait. It is used once.
type Command struct {
	// Args are the program and its arguments. A program without a slash is looked up in
	// the PATH that it will have. Nothing is quoted or expanded.
	Args []string
	// Env is added to the sandbox's environment, as KEY=VALUE; the last of a key wins.
	Env []string
	// Dir is where it starts; a relative one is below the work dir. Default: the work dir.
	Dir string
	// User runs it as another user: "uid", "uid:gid" or a name that the image knows, and
	// one of Options.Users. Default: the sandbox's user.
	User string
	// Stdin is read until its end or the command's. A Read that blocks does not hold Wait
	// up; it is left behind to return. A Read error is the end for the command, and Wait
	// returns it where it came before the command's end. Default: empty.
	Stdin io.Reader
	// Stdout and Stderr take what it writes, as it comes; a slow writer slows the
	// command. Where they are the same the bytes arrive in the order they were written.
	// Default: captured in the Result.
	Stdout, Stderr io.Writer
	// Capture is how many bytes of a captured stream are kept. Default: DefaultCapture.
	Capture int
	// Terminal gives it a pseudo-terminal of that size in place of three pipes. All that it
	// writes then comes on Stdout, and the end of Stdin is a Ctrl-D. TERM is
	// "xterm-256color" unless Env says otherwise. Default: none.
	Terminal *Size
	// Ulimits are resource limits of its processes by name, such as "cpu" (seconds),
	// "fsize" and "as" (bytes), "nofile". They can only be lower than those of the
	// sandbox. It then takes some 3 ms longer to start.
	Ulimits map[string]engine.Ulimit
	// MaxOutput is how many bytes it may write to stdout and stderr together; more than
	// that ends it with OutputLimit, as a Timeout does. Default: no limit.
	MaxOutput int64
	// Timeout ends it and all processes that came of it, whatever session or parent they
	// have by now: SIGTERM, Grace, SIGKILL. Default: none but that of the context.
	Timeout time.Duration
	// Grace is the time between the two signals; a negative one leaves SIGTERM out.
	// Default: DefaultGrace.
	Grace time.Duration

	label          string // in messages, in place of Args
	control        bool   // it has a control socket as descriptor 3, see call.Control
	join           bool   // stderr goes where stdout goes
	pipes          [3]*pipe
	sb             *Sandbox
	ctx            context.Context // of Start, for the cause when it ends
	call           *channel.Call
	stdout, stderr *capture
	copies         sync.WaitGroup
	gaveUp         atomic.Bool // the guest did not end it in time
	wait           func() (*Result, error)

	mu      sync.Mutex
	copyErr error    // of the first writer that failed
	readErr error    // of Stdin
	release []func() // what to let go of at the end
}

var (
	errNotStarted = invalid("the command was not started: call Start first")
	errStarted    = invalid("the command was started before: make another")
)

// Command returns the command for a program and its arguments.
func (sb *Sandbox) Command(name string, args ...string) *Command {
	return &Command{sb: sb, Args: append([]string{name}, args...)}
}

// Exec runs a shell command with the image's /bin/sh and returns what it left. For
// anything but a line of shell, use Command.
func (sb *Sandbox) Exec(ctx context.Context, command string) (*Result, error) {
	return sb.Command("/bin/sh", "-c", command).Run(ctx)
}

// Run starts the command and waits for it. The error is nil however the command ended
// by itself or by its Timeout; it is not when it could not be started, when ctx ended, or
// when the sandbox was lost: see Wait.
func (c *Command) Run(ctx context.Context) (*Result, error) {
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	return c.Wait()
}

// Start starts the command and returns when that has been asked for; a program that
// cannot be started is an error of Wait. When ctx ends, the command is ended as by its
// Timeout.
func (c *Command) Start(ctx context.Context) error {
	if err := c.start(ctx); err != nil {
		return c.sb.failure("exec", c.name(), err)
	}
	return nil
}

func (c *Command) start(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if c.call != nil {
		return errStarted
	}
	x, err := c.request()
	if err != nil {
		return invalid("%w", err)
	}
	r := &channel.Request{Op: wire.OpExec, Args: x}
	size := cmp.Or(c.Capture, DefaultCapture)
	if c.Stdout == nil && c.pipes[1] == nil {
		c.stdout = newCapture(size)
		r.Stdout = c.stdout.write
	}
	if c.Stderr == nil && c.pipes[2] == nil {
		c.stderr = newCapture(size)
		r.Stderr = c.stderr.write
	}
	ch, err := c.sb.channelOf(ctx, c.User)
	if err != nil {
		return err
	}
	if c.call, err = ch.Start(r); err != nil {
		return err
	}
	c.ctx = ctx
	for i, stream := range []*wire.Stream{c.call.Stream, c.call.Stream, c.call.Stderr} {
		if c.pipes[i] != nil {
			c.pipes[i].open(stream)
		}
	}
	c.wait = sync.OnceValues(c.waitOnce)
	if c.Stdin != nil {
		go c.feed()
	}
	if c.Stdout != nil {
		c.copy(c.Stdout, c.call.Stream)
	}
	if c.Stderr != nil && !x.Join && c.Terminal == nil {
		c.copy(c.Stderr, c.call.Stderr)
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { c.cancel(false) })
		c.atEnd(func() { stop() })
	}
	if c.Timeout > 0 {
		c.startWatchdog(c.Timeout)
	}
	return nil
}

// request checks the fields and makes the message of them.
func (c *Command) request() (*wire.Exec, error) {
	x := &wire.Exec{
		Stdin: c.Stdin != nil || c.pipes[0] != nil, Join: c.join || c.Stdout != nil && sameWriter(c.Stdout, c.Stderr),
		Control: c.control, MaxOutput: c.MaxOutput,
		Dir: []byte(c.Dir), Timeout: int64(c.Timeout), Grace: int64(c.grace()),
	}
	if c.Terminal != nil {
		x.Terminal = &wire.Size{Rows: c.Terminal.Rows, Cols: c.Terminal.Cols}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Ulimits)) {
		u := c.Ulimits[name]
		if err := checkUlimit(name, u); err != nil {
			return nil, err
		}
		x.Limits = append(x.Limits, wire.Limit{Name: name, Soft: u.Soft, Hard: u.Hard})
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		return nil, errors.New("empty command")
	}
	for _, arg := range c.Args {
		x.Args = append(x.Args, []byte(arg))
	}
	x.Path = x.Args[0]
	for _, entry := range c.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
			return nil, fmt.Errorf("environment entry %q: write KEY=VALUE", name)
		}
		x.Env = append(x.Env, []byte(entry))
	}
	for _, part := range slices.Concat(c.Args, c.Env, []string{c.Dir}) {
		if strings.Contains(part, "\x00") {
			return nil, errors.New("a NUL byte cannot be passed to a program")
		}
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("timeout %v is negative", c.Timeout)
	}
	if c.MaxOutput < 0 {
		return nil, fmt.Errorf("output limit %d is negative", c.MaxOutput)
	}
	if c.Capture < 0 {
		return nil, fmt.Errorf("capture limit %d is negative", c.Capture)
	}
	return x, nil
}

func (c *Command) grace() time.Duration {
	return max(cmp.Or(c.Grace, DefaultGrace), 0)
}

// name is the command for messages.
func (c *Command) name() string {
	const maxName = 200
	if c.label != "" {
		return c.label
	}
	text := fmt.Sprintf("%q", c.Args)
	if len(text) > maxName {
		text = text[:maxName] + "..."
	}
	return text
}

// feed writes stdin. It has no owner that waits: a Read of somebody's terminal may
// never return. After the command's end the stream refuses the bytes.
func (c *Command) feed() {
	stream := &errWriter{w: c.call.Stream}
	_, err := io.Copy(stream, c.Stdin)
	if stream.err != nil {
		return // nobody takes more, and what ended that is told by the result
	}
	if err != nil {
		// Noted before the command can see the end, and end by it.
		c.mu.Lock()
		c.readErr = fmt.Errorf("stdin: %w", err)
		c.mu.Unlock()
	}
	_ = c.call.Stream.CloseWrite()
}

func (c *Command) copy(w io.Writer, s *wire.Stream) {
	c.copies.Go(func() {
		if _, err := s.WriteTo(w); err != nil {
			// The command goes on, and what it still writes is dropped.
			s.CloseRead()
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.copyErr == nil {
				c.copyErr = err
			}
		}
	})
}

// cancel climbs the ladder, or ends the command at once.
func (c *Command) cancel(now bool) {
	c.call.Cancel(now)
	c.startWatchdog(0)
}

// startWatchdog ends the sandbox when the command is not over within d, its grace and the
// guest's own time to answer.
func (c *Command) startWatchdog(d time.Duration) {
	total := d + c.grace() + answerTimeout
	if total < d {
		return // longer than time goes on
	}
	t := time.AfterFunc(total, func() {
		select {
		case <-c.call.Done():
			return
		default:
		}
		if c.sb.frozen(c.grace() + answerTimeout) {
			c.startWatchdog(0) // it had no time to end it
			return
		}
		c.gaveUp.Store(true)
		c.sb.fail(errStuck)
	})
	c.atEnd(func() { t.Stop() })
}

func (c *Command) atEnd(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release = append(c.release, f)
}

// Signal sends a signal to the command's process group, which is itself and the children
// that have not left it. A command that has ended gets none, which is no error.
func (c *Command) Signal(s Signal) error {
	if err := s.check(); err != nil {
		return failure("signal", c.name(), err)
	}
	return c.sendSignal("signal", wire.Signal{Number: int(s)})
}

// sendSignal sends a message to a command that has been started.
func (c *Command) sendSignal(op string, m wire.Signal) error {
	if c.call == nil {
		return failure(op, c.name(), errNotStarted)
	}
	return c.sb.failure(op, c.name(), c.call.Signal(m))
}

// Kill ends the command and all processes that came of it with SIGKILL; Wait then
// returns Canceled.
func (c *Command) Kill() error {
	if c.call == nil {
		return failure("kill", c.name(), errNotStarted)
	}
	c.cancel(true)
	return nil
}

// Wait waits until the command has ended and its output has been taken, and may be
// called any number of times. Beside a result the error is
//   - the cause of the context, where that ended the command (TimedOut for a deadline,
//     else Canceled);
//   - that of a writer which failed, and that of Stdin;
//   - ErrLost or ErrClosed, where the sandbox ended under it (Lost). What had come of its
//     output is in the result.
//
// There is no result where the command could not be started.
func (c *Command) Wait() (*Result, error) {
	if c.wait == nil {
		return nil, failure("wait", c.name(), errNotStarted)
	}
	return c.wait()
}

func (c *Command) waitOnce() (*Result, error) {
	var x wire.Exited
	err := c.call.Result(context.Background(), &x) // what ctx ends has a result
	c.copies.Wait()
	c.mu.Lock()
	release, own := c.release, errors.Join(c.copyErr, c.readErr)
	c.mu.Unlock()
	for _, f := range release {
		f()
	}
	if _, refused := errors.AsType[*wire.Error](err); refused {
		if cause := context.Cause(c.ctx); cause != nil {
			err = cause
		}
		return nil, c.sb.failure("exec", c.name(), err)
	}
	r := &Result{}
	if c.stdout != nil {
		r.Stdout, r.StdoutDropped = c.stdout.bytes()
	}
	if c.stderr != nil {
		r.Stderr, r.StderrDropped = c.stderr.bytes()
	}
	if err != nil {
		r.Outcome, r.ExitCode, r.Rung = Lost, -1, RungNone
		err = c.sb.failure("exec", c.name(), err)
		if errors.Is(err, ErrEngine) {
			r.Outcome = EngineFault
		}
		if c.gaveUp.Load() {
			r.Rung = RungContainer
		}
		return r, err
	}
	r.fill(&x)
	if cause := context.Cause(c.ctx); r.Outcome == Canceled && cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			r.Outcome = TimedOut
		}
		return r, c.sb.failure("exec", c.name(), cause)
	}
	if own != nil {
		// These are the caller's: an io.ErrUnexpectedEOF of theirs says nothing of the sandbox.
		return r, &Error{Op: "exec", Name: c.name(), Err: own}
	}
	return r, nil
}

// sameWriter compares as os/exec does: writers of a type that cannot be compared differ.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}
