package dockercli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/drydock-go/drydock/dockercli/internal/proc"
)

// Client runs one container CLI. The zero value runs docker as the shell would. It may be
// used from several goroutines at once, must not be copied after the first use, and its
// fields must not change after it.
type Client struct {
	// Path is the name (looked up in PATH) or the path of the CLI; default "docker".
	Path string

	// Host is the engine's address, such as "ssh://user@host"; default: what the
	// environment or the docker context says. It wins over Context.
	Host string

	// Context is the name of a docker context (with podman: of a system connection);
	// default: the current one.
	Context string

	// Env adds KEY=VALUE entries to the environment of every CLI process.
	Env []string

	// Logger gets a record for the start and one for the end of each CLI process, at the
	// level debug and without the values of variables. Default: none.
	Logger *slog.Logger

	// MaxProcesses is how many short CLI processes may run at once; further calls wait. The
	// processes of Run, Start, StartExec, Build, Pull, Save and Load, which may take as long
	// as they like, are not counted. Default: four for each CPU of this host.
	MaxProcesses int

	mu      sync.Mutex
	slots   chan struct{}
	info    *Info
	probing *probe
}

// call is one run of the CLI.
type call struct {
	argv           []string // without the program
	environ        []string // KEY=VALUE added to the environment of the client's processes
	stdin          io.Reader
	stdout, stderr io.Writer
	merge          bool // stderr goes where stdout goes
	uncounted      bool // see Client.MaxProcesses
}

func (c *Client) path() string { return cmp.Or(c.Path, "docker") }

// environ returns the variables that a process gets beside the host's environment. The address of
// the engine is a variable, not a flag, since docker and podman name that flag differently.
func (c *Client) environ(more []string) []string {
	var out []string
	switch {
	case c.Host != "":
		out = append(out, "DOCKER_HOST="+c.Host, "CONTAINER_HOST="+c.Host)
	case c.Context != "":
		out = append(out, "DOCKER_CONTEXT="+c.Context, "CONTAINER_CONNECTION="+c.Context)
	}
	return slices.Concat(out, c.Env, more)
}

func (c *Client) spec(k call) proc.Spec {
	var drop []string
	if c.Host == "" && c.Context != "" {
		// The host would win over the context, in docker before 23 even if it is empty.
		drop = []string{"DOCKER_HOST", "CONTAINER_HOST"}
	}
	return proc.Spec{
		Drop: drop,
		Path: c.path(), Args: k.argv, Env: c.environ(k.environ),
		Stdin: k.stdin, Stdout: k.stdout, Stderr: k.stderr, Merge: k.merge,
	}
}

// do runs the CLI to its end. An exit code other than 0 is no error here.
func (c *Client) do(ctx context.Context, k call) (proc.Result, error) {
	if !k.uncounted {
		release, err := c.acquire(ctx)
		if err != nil {
			return proc.Result{ExitCode: -1}, c.failure(k.argv, -1, "", err)
		}
		defer release()
	}
	shown := c.display(k.argv)
	log := c.logger()
	log.DebugContext(ctx, "container CLI starts", "args", shown)
	r, err := proc.Run(ctx, c.spec(k))
	log.DebugContext(ctx, "container CLI ended", "args", shown, "exit", r.ExitCode,
		"duration", r.Duration, "error", err)
	if err != nil {
		return r, c.failure(k.argv, r.ExitCode, string(r.Stderr), err)
	}
	return r, nil
}

// output runs a short command and returns its standard output. It checks the names in argv, which
// are those of objects of the given kind, before the start. An exit code other than 0 is an error.
func (c *Client) output(ctx context.Context, argv []string, kind string, names ...string) (string, error) {
	if err := c.check(argv, kind, names...); err != nil {
		return "", err
	}
	r, err := c.do(ctx, call{argv: argv})
	if err != nil {
		return "", err
	}
	if r.ExitCode != 0 {
		return "", c.exitError(argv, r)
	}
	return string(r.Stdout), c.whole(argv, r)
}

// query is output and the parsing of it.
func query[T any](
	ctx context.Context, c *Client, argv []string, parse func(string) (T, error), kind string, names ...string,
) (T, error) {
	var zero T
	text, err := c.output(ctx, argv, kind, names...)
	if err != nil {
		return zero, err
	}
	v, err := parse(text)
	if err != nil {
		return zero, c.failure(argv, 0, "", err)
	}
	return v, nil
}

// whole returns an error if standard output was cut, since a part of a list is no list.
func (c *Client) whole(argv []string, r proc.Result) error {
	if r.StdoutDropped == 0 {
		return nil
	}
	return c.failure(argv, 0, "", fmt.Errorf("%w: %d bytes too many", ErrOutput, r.StdoutDropped))
}

// exitError returns the error for an exit code other than 0.
func (c *Client) exitError(argv []string, r proc.Result) *Error {
	text := string(r.Stderr)
	if r.Signal != "" {
		return c.failure(argv, r.ExitCode, text, errors.New(r.Signal))
	}
	return c.failure(argv, r.ExitCode, text, nil)
}

// failure returns the *Error for a call. If err is nil, the reason is read from text, which the CLI
// wrote.
func (c *Client) failure(argv []string, exit int, text string, err error) *Error {
	e := &Error{Args: c.display(argv), ExitCode: exit, Stderr: lastLines(text), Err: err}
	if err == nil {
		e.Flag, e.Err = classify(argv, text)
	}
	if errors.Is(err, proc.ErrNotFound) {
		e.Err = fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	return e
}

func (c *Client) display(argv []string) []string { return display(c.path(), argv) }

func (c *Client) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

// acquire waits until another short process may run.
func (c *Client) acquire(ctx context.Context) (release func(), err error) {
	c.mu.Lock()
	if c.slots == nil {
		n := c.MaxProcesses
		if n <= 0 {
			n = 4 * runtime.NumCPU()
		}
		c.slots = make(chan struct{}, n)
	}
	slots := c.slots
	c.mu.Unlock()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// check refuses names that a CLI could take for flags, and names that no object can have. kind is
// the kind of the objects, for the message.
func (c *Client) check(argv []string, kind string, names ...string) error {
	for _, n := range names {
		var why string
		switch {
		case n == "":
			why = "is empty"
		case strings.HasPrefix(n, "-"):
			why = `begins with "-"`
		case strings.ContainsAny(n, "\x00\r\n"):
			why = "has a line break or a zero byte"
		default:
			continue
		}
		return c.refuse(argv, fmt.Errorf("%w: %s %q %s", ErrInvalidName, kind, n, why))
	}
	return nil
}

// refuse returns the error for a call that is not started.
func (c *Client) refuse(argv []string, err error) error {
	return c.failure(argv, -1, "", err)
}

// orZero returns a copy of *opts, or the zero value if opts is nil.
func orZero[T any](opts *T) T {
	if opts == nil {
		return *new(T)
	}
	return *opts
}
