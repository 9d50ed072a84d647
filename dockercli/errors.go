package dockercli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// What an engine refused, for errors.Is. All but ErrInvalidName are read from the CLI's
// message, whose wording changes with its version: a failure that none of them matches is
// still an *Error.
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
	ExitCode int      // -1: it did not start, was refused before the start, or was ended
	Stderr   string   // the last lines the CLI wrote, at most 4 KiB; of a build, the failing step
	Flag     string   // with ErrUnsupportedFlag: the flag, such as "--platform"
	Err      error    // a sentinel of this package, context.Cause or a system error; may be nil
}

// Error names the command, the exit and the reason, then the CLI's last lines, then the
// way out where one is known.
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

// helps tells the way out.
var helps = []struct {
	err  error
	text string
}{
	{ErrNotInstalled, "install docker or podman, or set Client.Path to the CLI"},
	{ErrPermission, "add the user to the group docker and log in again, or use rootless docker or podman"},
	{ErrUnreachable, "start the engine, and check DOCKER_HOST or Client.Host and the docker context"},
	{ErrUnsupportedFlag, "update the engine, or leave the option away"},
	{ErrNameInUse, "remove what holds the name, or take another name"},
	{ErrInUse, "remove the containers that use it first"},
}

// wordings is the one table of messages, in lower case; a message matches when it holds
// all the parts of a row, and the first row wins. Seen in docker 20.10 to 29, podman 4 and
// 5, nerdctl 1 and 2.
var wordings = []struct {
	err   error
	parts []string
}{
	{ErrPermission, []string{"permission denied while trying to connect"}},
	{ErrPermission, []string{"docker.sock", "permission denied"}},
	{ErrPermission, []string{"podman.sock", "permission denied"}},
	{ErrPermission, []string{"cannot access containerd socket", "permission denied"}},
	{ErrUnreachable, []string{"cannot connect to the docker daemon"}},
	{ErrUnreachable, []string{"failed to connect to the docker api"}}, // docker 29
	{ErrUnreachable, []string{"error during connect:"}},
	{ErrUnreachable, []string{"unable to resolve docker endpoint"}}, // no such context
	{ErrUnreachable, []string{"cannot connect to podman"}},
	{ErrUnreachable, []string{"unable to connect to podman"}},
	{ErrUnreachable, []string{"cannot access containerd socket"}},
	{ErrUnreachable, []string{"rootless containerd not running"}},

	{ErrNameInUse, []string{"is already in use by"}}, // docker, podman
	{ErrNameInUse, []string{"name", "is already used by"}},
	{ErrNameInUse, []string{"network with name", "already exists"}},
	{ErrNameInUse, []string{"network name", "already used"}},
	{ErrNameInUse, []string{"network already exists"}},
	{ErrNameInUse, []string{"volume already exists"}},
	{ErrInUse, []string{"is using its referenced image"}},
	{ErrInUse, []string{"image is being used by"}},
	{ErrInUse, []string{"image is in use by"}},
	{ErrInUse, []string{"image used by"}},
	{ErrInUse, []string{"volume is in use"}},
	{ErrInUse, []string{"volume is being used"}},
	{ErrInUse, []string{"has active endpoints"}},
	{ErrInUse, []string{"network is being used"}},
	{ErrInUse, []string{"has associated containers with it"}},

	{ErrNotRunning, []string{"is not running"}},
	{ErrNotRunning, []string{"container state improper"}},
	{ErrNotRunning, []string{"can only kill running containers"}},

	{ErrNoSuchContainer, []string{"no such container"}},
	{ErrNoSuchContainer, []string{"no container with name or id"}},
	{ErrNoSuchVolume, []string{"no such volume"}},
	{ErrNoSuchVolume, []string{"no volume with name"}},
	{ErrNoSuchUser, []string{"unable to find user"}},
	{ErrNoSuchNetwork, []string{"no such network"}},
	{ErrNoSuchNetwork, []string{"network not found"}},
	{ErrNoSuchNetwork, []string{"network ", " not found"}},
	{ErrNoSuchNetwork, []string{"no network found matching"}},
	{ErrNoSuchImage, []string{"no such image"}},
	{ErrNoSuchImage, []string{"image not known"}},
	{ErrNoSuchImage, []string{"manifest unknown"}},
	{ErrNoSuchImage, []string{"manifest for ", " not found"}},
	{ErrNoSuchImage, []string{"pull access denied"}},
	{ErrNoSuchImage, []string{"repository does not exist"}},
	{ErrNoSuchImage, []string{"requested access to the resource is denied"}},
	{ErrNoSuchImage, []string{"failed to resolve reference", "not found"}},
	{ErrNoSuchImage, []string{"did not resolve to an alias"}},
}

// objects resolves the message "no such object", which does not say of what kind.
var objects = map[string]error{
	"container": ErrNoSuchContainer, "exec": ErrNoSuchContainer, "image": ErrNoSuchImage,
	"network": ErrNoSuchNetwork, "volume": ErrNoSuchVolume,
}

// unknownFlag finds the flag a CLI does not know, and the one its engine is too old for.
var unknownFlag = regexp.MustCompile(`(?i)unknown (?:shorthand )?flag: (?:'.' in )?(-[-\w]+)` +
	`|"?(--[-\w]+)"? requires API version`)

// classify finds the sentinel for what a CLI wrote, and the flag it names; nil if none.
func classify(argv []string, text string) (flag string, err error) {
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		return m[1] + m[2], ErrUnsupportedFlag
	}
	text = strings.ToLower(text)
	for _, w := range wordings {
		if containsAll(text, w.parts) {
			return "", w.err
		}
	}
	if strings.Contains(text, "no such object") && len(argv) > 0 {
		return "", objects[argv[0]]
	}
	return "", nil
}

// containsAll reports whether one line of text holds all parts, in any order.
func containsAll(text string, parts []string) bool {
lines:
	for line := range strings.Lines(text) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue lines
			}
		}
		return true
	}
	return false
}

// engineLine matches a line with which a CLI starts a message of its own or the engine's.
var engineLine = regexp.MustCompile(`^(docker: |Error: |[Ee]rror response from daemon|unknown (shorthand )?flag` +
	`|OCI runtime exec failed|OCI runtime error|[Cc]annot connect to the |[Ff]ailed to connect to the docker API` +
	`|(Got )?permission denied while trying to connect|error during connect|time="[^"]*" level=(error|fatal))`)

// engineMessage returns the lines from the first on that the CLI itself seems to have
// written; empty if there is none.
func engineMessage(stderr string) string {
	at := 0
	for line := range strings.Lines(stderr) {
		if engineLine.MatchString(line) {
			return stderr[at:]
		}
		at += len(line)
	}
	return ""
}

const (
	maxErrorLines = 20
	maxErrorBytes = 4 << 10
)

// lastLines returns the end of a text for an error message: no blank lines, no control
// characters (a container's bytes may drive a terminal), none of the CLI's hints.
func lastLines(text string) string {
	var lines []string
	for line := range strings.Lines(escapes.ReplaceAllString(text, "")) {
		line = strings.TrimRight(strings.Map(printable, line), " \t")
		if line != "" && !strings.HasPrefix(line, "Run '") && !strings.HasPrefix(line, "See '") {
			lines = append(lines, line)
		}
	}
	if n := len(lines) - maxErrorLines; n > 0 {
		lines = append([]string{fmt.Sprintf("[%d lines left out]", n)}, lines[n:]...)
	}
	out := strings.Join(lines, "\n")
	if n := len(out) - maxErrorBytes; n > 0 {
		out = fmt.Sprintf("[%d bytes left out]", n) + strings.ToValidUTF8(out[n:], "")
	}
	return out
}

// escapes are what colours, moves or names a terminal: the CSI and OSC sequences of ECMA-48
// and its single ones.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n]*(?:\x07|\x1b\\\\)?|\x1b[@-_]")

func printable(r rune) rune {
	if r == '\t' || (r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f)) {
		return r
	}
	return -1
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

// display returns argv with the values of variables masked: they may be secrets.
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
			// What follows the container's or image's name is the user's own command line.
			if i+2 < len(out) {
				return append(out[:i+2:i+2], "...")
			}
		}
	}
	return out
}
