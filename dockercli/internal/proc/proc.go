// Package proc is the one door through which Drydock starts processes on the host.
//
// Run captures a short command; Start keeps a long one. Both put the child into a process
// group of its own, keep its output within caps, and end it by one ladder: close stdin,
// TERM to the group, KILL to the group, with a grace after each rung.
//
// It stands on go-cmd, used for starting and reaping only: go-cmd's buffered and streaming
// modes have no caps and lose output, it has no context, and its Stop is a single TERM.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/go-cmd/cmd"
)

const (
	// DefaultGrace is how long each rung of the ladder waits.
	DefaultGrace = 2 * time.Second

	// DefaultCap is how many bytes of a stream are kept: 4 MiB.
	DefaultCap = 4 << 20

	// TailCap is how many bytes of a streamed or long-lived stream are kept for messages.
	TailCap = 32 << 10

	// waitDelay bounds the wait for output after the child has exited while a grandchild
	// holds its pipes open. https://go.dev/issue/23019
	waitDelay = time.Second
)

// Spec says what to start.
type Spec struct {
	Path string   // name looked up in PATH, or a path
	Args []string // without the name
	Env  []string // KEY=VALUE added to this process's environment; the last of a key wins
	Drop []string // variables of this process's environment that it does not get

	// Grace is how long each rung of the ladder waits; 0 means DefaultGrace.
	Grace time.Duration

	// The rest is for Run; Start has pipes of its own.

	Stdin  io.Reader // nil: the null device
	Stdout io.Writer // nil: captured, else streamed, and the tail kept for messages
	Stderr io.Writer // as Stdout
	Cap    int       // bytes captured per stream; 0 means DefaultCap
	Merge  bool      // stderr goes where stdout goes, in order
}

// Result is what a finished Run left.
type Result struct {
	Stdout, Stderr               []byte
	StdoutDropped, StderrDropped int64 // bytes over the cap, missing from the middle
	ExitCode                     int   // -1: it did not start or a signal ended it
	Signal                       string
	Duration                     time.Duration
}

// Run starts a command and waits for its end. A non-zero exit is not an error. When ctx
// ends the command is taken down by the ladder, the error is context.Cause(ctx), and the
// Result holds what had been written by then. A streaming writer's error ends the command
// (its pipe breaks) and is returned. A Stdin whose Read never returns delays the end by a
// second and keeps one goroutine until it does.
func Run(ctx context.Context, spec Spec) (Result, error) {
	if err := context.Cause(ctx); err != nil {
		return Result{ExitCode: -1}, err
	}
	start := time.Now()
	stdout, stderr := spec.sinks()
	var stdin io.WriteCloser
	c, err := launch(spec, stderr, func(x *exec.Cmd) (err error) {
		x.Stdout = stdout
		if _, direct := spec.Stdin.(*os.File); direct || spec.Stdin == nil {
			x.Stdin = spec.Stdin
			return nil
		}
		stdin, err = x.StdinPipe()
		return err
	})
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	// exec.Cmd would wait for the reader as long as it takes, whatever its WaitDelay.
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if stdin != nil {
			_, _ = io.Copy(stdin, spec.Stdin) // an end that is early is the command's to tell
			_ = stdin.Close()
		}
	}()
	select {
	case <-c.done():
	case <-ctx.Done():
		err = context.Cause(ctx)
		c.terminate()
	}
	select {
	case <-fed:
	case <-time.After(waitDelay):
	}
	if err == nil {
		err = stdout.writeErr()
	}
	if err == nil {
		err = stderr.writeErr()
	}
	r := Result{ExitCode: c.exitCode(), Signal: c.signal(), Duration: time.Since(start)}
	r.Stdout, r.StdoutDropped = stdout.bytes()
	if !spec.Merge {
		r.Stderr, r.StderrDropped = stderr.bytes()
	}
	return r, err
}

// sinks returns the two collectors; with Merge they are one, which makes exec.Cmd give the
// child one pipe for both, so that their order is kept.
func (s Spec) sinks() (stdout, stderr *sink) {
	limit := s.Cap
	if limit <= 0 {
		limit = DefaultCap
	}
	stdout = newSink(s.Stdout, limit)
	if s.Merge {
		return stdout, stdout
	}
	return stdout, newSink(s.Stderr, limit)
}

// child is a started process.
type child struct {
	cmd   *cmd.Cmd
	x     *exec.Cmd
	grace time.Duration
}

// launch starts spec and returns once the process exists or could not be made. go-cmd has
// no hook after the start, but exec.Cmd begins to drain stderr as soon as the process
// exists: the first call of stderr is the notice, and orders x.Process before our reads.
func launch(spec Spec, stderr *sink, setup func(*exec.Cmd) error) (*child, error) {
	c := &child{grace: spec.Grace}
	if c.grace <= 0 {
		c.grace = DefaultGrace
	}
	var setupErr error
	hook := func(x *exec.Cmd) {
		c.x = x
		inherited := slices.DeleteFunc(os.Environ(), func(entry string) bool {
			key, _, _ := strings.Cut(entry, "=")
			return slices.Contains(spec.Drop, key)
		})
		x.Env = append(append(inherited,
			"LC_ALL=C", "NO_COLOR=1", "DOCKER_CLI_HINTS=false"), spec.Env...)
		x.WaitDelay = waitDelay
		x.Stderr = stderr
		ownGroup(x)
		if setupErr = setup(x); setupErr != nil {
			x.Err = setupErr // makes x.Start fail
		}
	}
	c.cmd = cmd.NewCmdOptions(cmd.Options{BeforeExec: []func(*exec.Cmd){hook}},
		spec.Path, spec.Args...)
	c.cmd.Start()
	select {
	case <-stderr.started:
		return c, nil
	case <-c.cmd.Done():
	}
	if c.x.Process == nil {
		return nil, startError(c.cmd.Status().Error)
	}
	return c, nil
}

// ErrNotFound: there is no such program, in PATH or at the path given.
var ErrNotFound = errors.New("program not found")

func startError(err error) error {
	// A name is looked up by os/exec, a path by the kernel.
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

func (c *child) done() <-chan struct{} { return c.cmd.Done() }

// exitCode is -1 while it runs and when a signal ended it.
func (c *child) exitCode() int {
	select {
	case <-c.done():
		return c.x.ProcessState.ExitCode()
	default:
		return -1
	}
}

// signal names the signal that ended a finished process, or is empty.
func (c *child) signal() string {
	if c.exitCode() != -1 {
		return ""
	}
	return c.x.ProcessState.String()
}

// within reports whether the process ended in time.
func (c *child) within(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.done():
		return true
	case <-t.C:
		return false
	}
}

// terminate climbs the rungs that signal, and returns when the process is reaped.
func (c *child) terminate() {
	if !c.alive() || termGroup(c.x.Process) != nil || !c.within(c.grace) {
		c.kill()
	}
}

func (c *child) kill() {
	if c.alive() {
		_ = killGroup(c.x.Process) // a failure means it is gone; the wait tells
	}
	<-c.done()
}

// alive reports that the process has a pid that is still its own: signalling a group by a
// number that was reaped could hit a stranger. The probe goes through the os.Process
// handle, which knows about the reaping.
func (c *child) alive() bool {
	select {
	case <-c.done():
		return false
	default:
		return c.x.Process.Pid > 0 && exists(c.x.Process)
	}
}
