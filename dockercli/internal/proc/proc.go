// Package proc is the one door through which Drydock starts processes on the host.
//
// Run captures a short command; Start keeps a long one. Both put the child into a process group of
// its own, bound the output that they keep, and end the child by one ladder: close stdin, TERM to
// the group, KILL to the group, with a grace period after each rung.
//
// It uses go-cmd, but only to start and to reap. The buffered mode of go-cmd has no bound and loses
// all output after a line of 64 KiB, its streaming mode loses output as well, it knows no context,
// and its Stop is a single TERM.
package proc

import (
	"cmp"
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

	// DefaultMaxOutput is how many bytes of a captured stream are kept: 4 MiB.
	DefaultMaxOutput = 4 << 20

	// MaxMessage is how many bytes of a stream that is not captured are kept for messages.
	MaxMessage = 32 << 10

	// waitDelay bounds the wait for output after the child has exited, since a grandchild can
	// hold the pipes open. https://go.dev/issue/23019
	waitDelay = time.Second
)

// Spec describes a command.
type Spec struct {
	Path string   // a name that is looked up in PATH, or a path
	Args []string // without the name
	Env  []string // KEY=VALUE added to this process's environment; the last of a key wins
	Drop []string // variables of this process's environment that the command does not get

	// Grace is how long each rung of the ladder waits; 0 means DefaultGrace.
	Grace time.Duration

	// The rest is for Run; Start has pipes of its own.

	Stdin     io.Reader // nil: the null device
	Stdout    io.Writer // nil: captured; else streamed, with MaxMessage bytes kept
	Stderr    io.Writer // as Stdout
	MaxOutput int       // bytes captured of each stream; 0 means DefaultMaxOutput
	Merge     bool      // stderr goes where stdout goes, in order
}

// Result is the outcome of Run.
type Result struct {
	Stdout, Stderr               []byte
	StdoutDropped, StderrDropped int64 // bytes missing from the middle
	ExitCode                     int   // -1: the command did not start, or a signal ended it
	Signal                       string
	Duration                     time.Duration
}

// Run starts a command and waits for its end. An exit code other than 0 is not an error. If ctx
// ends, Run ends the command by the ladder and returns context.Cause(ctx); the Result holds the
// output up to then. An error of a writer ends the command, whose pipe breaks, and is returned. A
// Stdin whose Read never returns delays the end by a second, and keeps a goroutine until it does.
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
	// The copy is made here because exec.Cmd waits for the reader without end, whatever its
	// WaitDelay is.
	inputDone := make(chan struct{})
	go func() {
		defer close(inputDone)
		if stdin != nil {
			_, _ = io.Copy(stdin, spec.Stdin) // a command may end without reading all of it
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
	case <-inputDone:
	case <-time.After(waitDelay):
	}
	err = cmp.Or(err, stdout.writeErr(), stderr.writeErr())
	r := Result{ExitCode: c.exitCode(), Signal: c.signal(), Duration: time.Since(start)}
	r.Stdout, r.StdoutDropped = stdout.bytes()
	if !spec.Merge {
		r.Stderr, r.StderrDropped = stderr.bytes()
	}
	return r, err
}

// sinks returns the sinks of the two streams. With Merge they are one, for which exec.Cmd gives the
// child a single pipe, so that the order of the output is kept.
func (s Spec) sinks() (stdout, stderr *sink) {
	size := cmp.Or(max(s.MaxOutput, 0), DefaultMaxOutput)
	stdout = newSink(s.Stdout, size)
	if s.Merge {
		return stdout, stdout
	}
	return stdout, newSink(s.Stderr, size)
}

// child is a started process.
type child struct {
	cmd   *cmd.Cmd  // starts and reaps
	exec  *exec.Cmd // what cmd started
	grace time.Duration
}

// launch starts spec and returns when the process exists or could not be made. go-cmd has no hook
// after the start, but exec.Cmd begins to read stderr as soon as the process exists: the first
// call of the sink is the notice, and orders the write of exec.Process before the reads here.
func launch(spec Spec, stderr *sink, setup func(*exec.Cmd) error) (*child, error) {
	c := &child{grace: cmp.Or(max(spec.Grace, 0), DefaultGrace)}
	var setupErr error
	hook := func(x *exec.Cmd) {
		c.exec = x
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
			x.Err = setupErr // x.Start fails with it
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
	if c.exec.Process == nil {
		return nil, startError(c.cmd.Status().Error)
	}
	return c, nil
}

// ErrNotFound is the error if there is no such program in PATH, or at the path.
var ErrNotFound = errors.New("program not found")

func startError(err error) error {
	// The first error is os/exec's for a name, the second the kernel's for a path.
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

func (c *child) done() <-chan struct{} { return c.cmd.Done() }

// exitCode is -1 while the process runs, and if a signal ended it.
func (c *child) exitCode() int {
	select {
	case <-c.done():
		return c.exec.ProcessState.ExitCode()
	default:
		return -1
	}
}

// signal describes the signal that ended the process, or is empty.
func (c *child) signal() string {
	if c.exitCode() != -1 {
		return ""
	}
	return c.exec.ProcessState.String()
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

// terminate climbs the rungs that are signals, and returns when the process is reaped.
func (c *child) terminate() {
	if !c.alive() || termGroup(c.exec.Process) != nil || !c.within(c.grace) {
		c.kill()
	}
}

func (c *child) kill() {
	if c.alive() {
		_ = killGroup(c.exec.Process) // fails only if the process is gone already
	}
	<-c.done()
}

// alive reports whether the pid still belongs to the process. After the process is reaped, a signal
// to the group of that number could hit another one. The question goes through the os.Process,
// which knows whether it was reaped.
func (c *child) alive() bool {
	select {
	case <-c.done():
		return false
	default:
		return c.exec.Process.Pid > 0 && exists(c.exec.Process)
	}
}
