package dockercli

import (
	"regexp"
	"strings"
)

// wordings maps the messages of engines, in lower case, to reasons. A message matches a row if one
// of its lines has all the parts, and the first row that matches wins. The messages are those of
// docker 20.10 to 29, podman 4 and 5, nerdctl 1 and 2.
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

// objects maps a subcommand to the meaning of "no such object", which does not name the kind.
var objects = map[string]error{
	"container": ErrNoSuchContainer, "exec": ErrNoSuchContainer, "image": ErrNoSuchImage,
	"network": ErrNoSuchNetwork, "volume": ErrNoSuchVolume,
}

// unknownFlag matches the flag that a CLI does not know, or that its engine is too old for.
var unknownFlag = regexp.MustCompile(`(?i)unknown (?:shorthand )?flag: (?:'.' in )?(-[-\w]+)` +
	`|"?(--[-\w]+)"? requires API version`)

// classify returns the reason that a CLI's message means, or nil, and the flag that it names.
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

// containsAll reports whether one line of text has all the parts, in any order.
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

// engineLine matches a line that begins a message of the CLI or of its engine.
var engineLine = regexp.MustCompile(`^(docker: |Error: |[Ee]rror response from daemon|unknown (shorthand )?flag` +
	`|OCI runtime error|[Cc]annot connect to the |[Ff]ailed to connect to the docker API` +
	`|(Got )?permission denied while trying to connect|error during connect|time="[^"]*" level=(error|fatal))`)

// engineMessage returns the lines that the CLI itself seems to have written: the first that
// engineLine matches and everything after it.
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
