package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestLock(t *testing.T) {
	is := is.New(t)
	e, dir := testEngine(t), t.TempDir()
	list, file := filepath.Join(dir, "runtimes.yaml"), filepath.Join(dir, "runtimes.lock")
	write := func(more string) {
		text := fmt.Sprintf("runtimes:\n  cli-lock:\n    base_image: %s\n    setup_commands: [echo %d%s]\n", busybox, time.Now().UnixNano(), more)
		is.NoErr(os.WriteFile(list, []byte(text), 0o600))
	}
	write("")
	lock := func(args ...string) end {
		return finish(t, program(t, append([]string{"lock", "--engine", e, "--runtimes", list, "--file", file}, args...)...))
	}
	is.Equal(lock("--check").code, exitEngine) // there is no file
	got := lock("cli-lock")
	is.Equal(got.code, 0)
	// podman gives a digest to every image, also to one of no registry.
	is.True(got.stdout == "cli-lock: "+busybox+", 0 packages\n" || strings.HasPrefix(got.stdout, "cli-lock: localhost/drydock/busybox@sha256:"))
	is.Equal(lock("--check").code, 0)
	got = finish(t, program(t, "run", "--engine", e, "--runtimes", list, "--lock", file, "--runtime", "cli-lock", "--json", "--", "true"))
	is.Equal(got.code, 0)
	is.Equal(lock("no-such").code, exitEngine)
	is.Equal(lock("--check", "no-such").code, 1)
	write(" changed")
	got = lock("--check")
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, "has changed since it was locked"))
	got = finish(t, program(t, "run", "--engine", e, "--runtimes", list, "--lock", file, "--runtime", "cli-lock", "--", "true"))
	is.Equal(got.code, exitEngine)
	is.Equal(lock().code, exitUsage)
	out, err := exec.Command(e, "images", "--filter=label=io.drydock.runtime=cli-lock", "--quiet").Output()
	is.NoErr(err)
	for id := range strings.FieldsSeq(string(out)) {
		is.NoErr(exec.Command(e, "rmi", "--force", id).Run())
	}
}
