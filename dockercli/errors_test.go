package dockercli

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestErrorText(t *testing.T) {
	c := &Client{Path: "/usr/bin/docker"}
	t.Run("engine", func(t *testing.T) {
		is := is.New(t)
		err := c.failure([]string{"image", "inspect", "--", "x"}, 1, "permission denied while trying to connect\n\nRun 'docker --help'\n", nil)
		is.Equal(err.Error(), "docker image inspect: exit 1: no permission to use the container engine:\n"+
			"    permission denied while trying to connect\n"+
			"add the user to the group docker and log in again, or use rootless docker or podman") // text
	})
	t.Run("flag", func(t *testing.T) {
		is := is.New(t)
		err := c.failure([]string{"run", "--x", "--", "i"}, 125, "unknown flag: --x", nil)
		is.True(strings.HasPrefix(err.Error(), "docker run: exit 125: the container CLI or engine does not support a flag: --x:")) // text
	})
	t.Run("not installed", func(t *testing.T) {
		is := is.New(t)
		_, err := (&Client{Path: "drydock-no-such-cli"}).Info(t.Context())
		is.True(errors.Is(err, ErrNotInstalled))                         // sentinel
		is.True(errors.Is(err, exec.ErrNotFound))                        // cause
		is.True(strings.Contains(err.Error(), "install docker or podm")) // help
	})
	t.Run("secrets", func(t *testing.T) {
		is := is.New(t)
		err := c.failure([]string{"run", "--env=HTTP_PROXY=http://u:s3cret@h", "--", "img", "--token=s3cret"}, 1, "", nil)
		equalArgs(is, err.Args, "/usr/bin/docker", "run", "--env=HTTP_PROXY=***", "--", "img", "...")
	})
	t.Run("bounded and harmless", func(t *testing.T) {
		is := is.New(t)
		text := lastLines(strings.Repeat("line\n", 100) + "\x1b]0;evil\x07\x1b[91mend\x1b[0m \u009b31m\n")
		is.True(strings.HasPrefix(text, "[81 lines left out]\n"))               // says what it dropped
		is.True(strings.HasSuffix(text, "\nend 31m"))                           // no controls, nor what they say
		is.True(len(lastLines(strings.Repeat("x", 1<<20))) < maxErrorBytes+100) // bounded
	})
}

// What to do about an error is the last line of its text.
func TestErrorHelp(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{ErrNotInstalled, "install docker or podman, or set Client.Path to the CLI"},
		{ErrPermission, "add the user to the group docker and log in again, or use rootless docker or podman"},
		{ErrUnreachable, "start the engine, and check DOCKER_HOST or Client.Host and the docker context"},
		{ErrUnsupportedFlag, "update the engine, or leave out the option"},
		{ErrNameInUse, "remove the object of that name, or take another name"},
		{ErrInUse, "remove the containers that use it first"},
		{ErrBuild, "docker run: exit 1: the build failed"}, // there is nothing to say
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			is := is.New(t)
			text := (&Error{Args: []string{"docker", "run"}, ExitCode: 1, Err: tt.err}).Error()
			is.Equal(text[strings.LastIndex(text, "\n")+1:], tt.want)
		})
	}
}
