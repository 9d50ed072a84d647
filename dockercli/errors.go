package dockercli

import (
	"errors"
	"fmt"
	"strings"
)

// The reasons of an *Error, for errors.Is. Most are read from the CLI's message, whose wording
// changes with its version, so a failure can have none of them.
var (
	ErrNotInstalled    = errors.New("the container CLI was not found")
	ErrUnreachable     = errors.New("the container engine cannot be reached")
	ErrPermission      = errors.New("no permission to use the container engine")
	ErrUnsupportedFlag = errors.New("the container CLI or engine does not support a flag")
	ErrInvalidName     = errors.New("invalid name")
	ErrNoSuchContainer = errors.New("no such container")
	ErrNoSuchImage     = errors.New("no such image")
	ErrNoSuchUser      = errors.New("no such user in the container")
	ErrNoSuchNetwork   = errors.New("no such network")
	ErrNoSuchVolume    = errors.New("no such volume")
	ErrNameInUse       = errors.New("the name is in use")
	ErrInUse           = errors.New("a container still uses it")
	ErrNotRunning      = errors.New("the container is not running")
	ErrBuild           = errors.New("the build failed")
	ErrOutput          = errors.New("the output of the container CLI cannot be used")
)

// Error is a failed call of the CLI.
type Error struct {
	Args     []string // the program and its arguments, values of variables masked
	ExitCode int      // -1: the CLI was refused before its start, did not start, or was ended
	Stderr   string   // the last lines that the CLI wrote, at most 4 KiB; for a build, those of the failing step
	Flag     string   // with ErrUnsupportedFlag: the flag, such as "--no-healthcheck"
	Err      error    // a sentinel of this package, context.Cause, a system error, or nil
}

// Error returns the command, the exit code and the reason, then the CLI's last lines, then what to
// do about it, if that is known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.Join(append([]string{e.program()}, subcommand(e.Args[1:])...), " "))
	if e.ExitCode >= 0 {
		fmt.Fprintf(&b, ": exit %d", e.ExitCode)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Flag != "" {
		fmt.Fprintf(&b, ": %s", e.Flag)
	}
	if e.Stderr != "" {
		b.WriteString(":\n    " + strings.ReplaceAll(e.Stderr, "\n", "\n    "))
	}
	for _, h := range helps {
		if errors.Is(e.Err, h.err) {
			b.WriteString("\n" + h.text)
			break
		}
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) program() string {
	p := e.Args[0]
	return p[strings.LastIndexAny(p, `/\`)+1:]
}

// helps says what to do about an error.
var helps = []struct {
	err  error
	text string
}{
	{ErrNotInstalled, "install docker or podman, or set Client.Path to the CLI"},
	{ErrPermission, "add the user to the group docker and log in again, or use rootless docker or podman"},
	{ErrUnreachable, "start the engine, and check DOCKER_HOST or Client.Host and the docker context"},
	{ErrUnsupportedFlag, "update the engine, or leave out the option"},
	{ErrNameInUse, "remove the object of that name, or take another name"},
	{ErrInUse, "remove the containers that use it first"},
}

// subcommand returns the words of argv before its first flag.
func subcommand(argv []string) []string {
	for i, a := range argv {
		if strings.HasPrefix(a, "-") {
			return argv[:i]
		}
	}
	return argv
}

// display returns a command line for people, with the values of variables masked: they may be
// secrets.
func display(path string, argv []string) []string {
	out := append([]string{path}, argv...)
	for i, a := range out {
		for _, flag := range []string{"--env=", "--build-arg="} {
			if rest, ok := strings.CutPrefix(a, flag); ok {
				if key, _, ok := strings.Cut(rest, "="); ok {
					out[i] = flag + key + "=***"
				}
			}
		}
		if a == "--" && i+1 < len(out) && (out[1] == "run" || out[1] == "exec") {
			// After the name of the container or image comes the caller's own command line.
			if i+2 < len(out) {
				return append(out[:i+2:i+2], "...")
			}
		}
	}
	return out
}
