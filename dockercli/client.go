package dockercli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
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

	// Env adds KEY=VALUE pairs to the environment of every CLI process.
	Env []string

	// Logger gets one record for the start and one for the end of each CLI process, at
	// the level debug, without the values of variables. Default: none.
	Logger *slog.Logger

	// Limit is how many short CLI processes may run at once; further calls wait. What
	// lasts as long as a command, a build or a stream (Run, Exec, Build, Pull, Logs,
	// CopyTo, CopyFrom and both Start methods) is not counted. Default: four per CPU of
	// this host.
	Limit int

	mu      sync.Mutex
	slots   chan struct{}
	info    *Info
	probing *probe
}

// call is one run of the CLI.
type call struct {
	argv           []string // without the program
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
	merge          bool
	uncounted      bool // see Client.Limit
}

func (c *Client) path() string { return cmp.Or(c.Path, "docker") }

// environ is what every process of this client gets on top of the host's environment. The
// address goes by variable, not by flag: docker and podman name the flags differently.
func (c *Client) environ(env []string) []string {
	var out []string
	switch {
	case c.Host != "":
		out = append(out, "DOCKER_HOST="+c.Host, "CONTAINER_HOST="+c.Host)
	case c.Context != "":
		out = append(out, "DOCKER_CONTEXT="+c.Context, "CONTAINER_CONNECTION="+c.Context)
	}
	return append(append(out, c.Env...), env...)
}

func (c *Client) spec(k call) proc.Spec {
	var drop []string
	if c.Host == "" && c.Context != "" {
		// It would win over the context, in docker before 23 even where it is empty.
		drop = []string{"DOCKER_HOST", "CONTAINER_HOST"}
	}
	return proc.Spec{
		Drop: drop,
		Path: c.path(), Args: k.argv, Env: c.environ(k.env),
		Stdin: k.stdin, Stdout: k.stdout, Stderr: k.stderr, Merge: k.merge,
	}
}

// do runs the CLI to its end. The error is about the process, not about its exit code.
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

// output runs a short command and returns its standard output. A non-zero exit is an error.
func (c *Client) output(ctx context.Context, argv []string) (string, error) {
	r, err := c.do(ctx, call{argv: argv})
	if err != nil {
		return "", err
	}
	if r.ExitCode != 0 {
		return "", c.exitError(argv, r)
	}
	if r.StdoutDropped > 0 {
		return "", c.failure(argv, 0, "", fmt.Errorf("%w: %d bytes over the cap",
			ErrOutput, r.StdoutDropped))
	}
	return string(r.Stdout), nil
}

// exitError is the error for an exit that was not zero.
func (c *Client) exitError(argv []string, r proc.Result) *Error {
	text := string(r.Stderr)
	if r.Signal != "" {
		return c.failure(argv, r.ExitCode, text, errors.New(r.Signal))
	}
	return c.failure(argv, r.ExitCode, text, nil)
}

// failure makes the *Error; without a reason err the text is classified.
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

// acquire waits for a slot.
func (c *Client) acquire(ctx context.Context) (release func(), err error) {
	c.mu.Lock()
	if c.slots == nil {
		n := c.Limit
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

// check refuses positionals that a CLI would take for flags or that are no name at all.
func (c *Client) check(argv []string, kind string, names ...string) error {
	for _, n := range names {
		var why string
		switch {
		case n == "":
			why = "is empty"
		case strings.HasPrefix(n, "-"):
			why = `begins with "-"`
		case strings.ContainsAny(n, "\x00\r\n"):
			why = "holds a line break or a zero byte"
		default:
			continue
		}
		return c.refuse(argv, fmt.Errorf("%w: %s %q %s", ErrInvalidName, kind, n, why))
	}
	return nil
}

// refuse is the error for a call that is not even tried.
func (c *Client) refuse(argv []string, err error) error {
	return c.failure(argv, -1, "", err)
}

// labelFlags renders a map as flag=key=value, sorted.
func labelFlags(flag string, m map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, flag+"="+k+"="+m[k])
	}
	return out
}

// filterFlags asks for objects that carry all the labels; an empty value asks for the key.
func filterFlags(labels map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if labels[k] != "" {
			k += "=" + labels[k]
		}
		out = append(out, "--filter=label="+k)
	}
	return out
}
