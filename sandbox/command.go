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

// answerTimeout is how long the guest may take to report the end of a command once the
// signals have been sent. On a busy machine it has to end a fork bomb of DefaultPIDs processes
// with a thousandth of the cpus.
const answerTimeout = 30 * time.Second

// Command is a program to run in a sandbox, in the shape of exec.Cmd. Set its fields, then
// call Run, or Start and Wait. It can be used once.
type Command struct {
	// Args are the program and its arguments. A program without a slash is looked up in
	// the PATH that it will have. Nothing is quoted or expanded.
	Args []string
	// Env is added to the sandbox's environment, as KEY=VALUE. The last entry of a key wins.
	Env []string
	// Dir is where it starts; a relative one is below the work dir. Default: the work dir.
	Dir string
	// User runs it as another user: "uid", "uid:gid" or a name that the image knows, and
	// one of Options.Users. Default: the sandbox's user.
	User string
	// Stdin is read until its end or the command's end. A Read that blocks does not delay
	// Wait: its goroutine stays until the Read returns. A Read error closes the command's
	// stdin; Wait returns it if it came before the command's end. Default: empty.
	Stdin io.Reader
	// Stdout and Stderr receive the output as it comes; a slow writer slows the command. If
	// they are the same writer, the bytes arrive in the order they were written. Default: the
	// output is captured in the Result.
	Stdout, Stderr io.Writer
	// Capture is how many bytes of each captured stream are kept. Default: DefaultCapture.
	Capture int
	// Terminal gives it a pseudo-terminal of that size in place of three pipes. All output
	// then comes on Stdout, and the end of Stdin is a Ctrl-D. TERM is "xterm-256color" unless
	// Env sets it. Default: none.
	Terminal *Size
	// Ulimits are resource limits of its processes by name, such as "cpu" (seconds), "fsize"
	// and "as" (bytes), or "nofile". They can only be lower than those of the sandbox. With
	// them the command takes about 3 ms longer to start. Default: none.
	Ulimits map[string]engine.Ulimit
	// MaxOutput is how many bytes it may write to stdout and stderr together. A command that
	// writes more is ended as by its Timeout, with the Outcome OutputLimit. Default: no limit.
	MaxOutput int64
	// Timeout ends it and all processes that came of it, whatever session or parent they have
	// by then: SIGTERM and, after Grace, SIGKILL. Default: none beside the context's deadline.
	Timeout time.Duration
	// Grace is the time between the two signals. If it is negative, SIGTERM is left out.
	// Default: DefaultGrace.
	Grace time.Duration

	label          string // in messages, in place of Args
	control        bool   // it has a control socket as descriptor 3: see channel.Call.Control
	join           bool   // stderr goes where stdout goes
	pipes          [3]*pipe
	sb             *Sandbox
	ctx            context.Context // that Start was given, for its cause
	call           *channel.Call
	stdout, stderr *capture
	copies         sync.WaitGroup
	answerTimeout  time.Duration // shorter in tests
	gaveUp         atomic.Bool   // the sandbox was ended because the guest did not answer
	wait           func() (*Result, error)

	mu      sync.Mutex
	copyErr error    // of the first writer that failed
	readErr error    // of Stdin
	release []func() // called at the end, to stop timers
}

var (
	errNotStarted = invalid("the command was not started: call Start first")
	errStarted    = invalid("the command was started before: make another")
)

// Command returns the command for a program and its arguments.
func (sb *Sandbox) Command(name string, args ...string) *Command {
	return &Command{sb: sb, Args: append([]string{name}, args...), answerTimeout: answerTimeout}
}

// Exec runs a shell command with the image's /bin/sh, waits for it and returns its result. Use
// Command for a program with arguments, limits, input or streams.
func (sb *Sandbox) Exec(ctx context.Context, command string) (*Result, error) {
	return sb.Command("/bin/sh", "-c", command).Run(ctx)
}

// Run starts the command and waits for it. A command that fails, is killed by a signal or
// reaches its Timeout is a result without an error. The error is set if the command could not
// be started, if ctx ended, or if the sandbox was lost: see Wait.
func (c *Command) Run(ctx context.Context) (*Result, error) {
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	return c.Wait()
}

// Start asks the guest to start the command and does not wait for the answer: if the program
// cannot be started, Wait returns the error. When ctx ends, the command is ended as by its
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
	// A capture is written by the channel's read loop and never blocks it.
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

// name returns the command for messages.
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

// feed writes stdin. Nobody waits for its goroutine, because a Read of a terminal may never
// return. After the command's end the stream refuses the bytes.
func (c *Command) feed() {
	stream := &errWriter{w: c.call.Stream}
	_, err := io.Copy(stream, c.Stdin)
	if stream.err != nil {
		return // the command or the channel has ended: the result says why
	}
	if err != nil {
		// Recorded before the command sees the end of its stdin, which may end it.
		c.mu.Lock()
		c.readErr = fmt.Errorf("stdin: %w", err)
		c.mu.Unlock()
	}
	_ = c.call.Stream.CloseWrite()
}

func (c *Command) copy(w io.Writer, s *wire.Stream) {
	c.copies.Go(func() {
		if _, err := s.WriteTo(w); err != nil {
			// The command goes on; its further output is dropped.
			s.CloseRead()
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.copyErr == nil {
				c.copyErr = err
			}
		}
	})
}

// cancel ends the command with SIGTERM and, after its grace, SIGKILL; now means SIGKILL at
// once.
func (c *Command) cancel(now bool) {
	c.call.Cancel(now)
	c.startWatchdog(0)
}

// startWatchdog ends the sandbox if the command has not ended within d, its grace and
// answerTimeout together.
func (c *Command) startWatchdog(d time.Duration) {
	total := d + c.grace() + c.answerTimeout
	if total < d {
		return // an overflow: no timer is that long
	}
	t := time.AfterFunc(total, func() {
		select {
		case <-c.call.Done():
			return
		default:
		}
		if c.sb.frozen(c.grace() + c.answerTimeout) {
			c.startWatchdog(0) // a frozen guest could not end the command
			return
		}
		c.gaveUp.Store(true)
		c.sb.fail(errStuck)
	})
	c.atEnd(func() { t.Stop() })
}

// atEnd has Wait call f once the command has ended.
func (c *Command) atEnd(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release = append(c.release, f)
}

// Signal sends a signal to the command's process group: the command and those of its children
// that have not left the group. If the command has ended, Signal does nothing and returns nil.
func (c *Command) Signal(s Signal) error {
	if err := s.check(); err != nil {
		return failure("signal", c.name(), err)
	}
	return c.sendSignal("signal", wire.Signal{Number: int(s)})
}

// sendSignal sends a signal, or the size of a terminal, to a command that has been started.
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

// Wait waits until the command has ended and its output has been written. It may be called any
// number of times. The result comes with an error in these cases:
//   - the context ended the command: the error is the context's cause, and the Outcome is
//     TimedOut for a deadline and Canceled otherwise;
//   - Stdin or a writer failed: the error is theirs;
//   - the sandbox ended under the command: the error is ErrLost, ErrClosed or ErrEngine, and
//     the result has the output until then.
//
// If the command could not be started, there is an error and no result.
func (c *Command) Wait() (*Result, error) {
	if c.wait == nil {
		return nil, failure("wait", c.name(), errNotStarted)
	}
	return c.wait()
}

func (c *Command) waitOnce() (*Result, error) {
	var x wire.Exited
	err := c.call.Result(context.Background(), &x) // a command that ctx ended has a result too
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
		// Errors of the caller's reader and writers: if one is io.ErrUnexpectedEOF, the sandbox is
		// not lost.
		return r, &Error{Op: "exec", Name: c.name(), Err: own}
	}
	return r, nil
}

// sameWriter compares writers as os/exec does: if their types cannot be compared, they differ.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}
