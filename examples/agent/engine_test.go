package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
	"github.com/matryer/is"
)

// testEngine returns the engine to test on. If none is named it skips the test.
func testEngine(t *testing.T) string {
	t.Helper()
	name := os.Getenv(sandboxtest.EnvEngine)
	if name == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine")
	}
	return name
}

// converse runs the program without a key in an empty directory.
func converse(t *testing.T, stdin string, args ...string) (code int, stdout, stderr, dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-engine", testEngine(t)}, args...)...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "ANTHROPIC_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, actAsAgent+"=1", "ANTHROPIC_BASE_URL=http://127.0.0.1:1", "ANTHROPIC_AUTH_TOKEN=token")
	cmd.Dir, cmd.WaitDelay = dir, 10*time.Second
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("exit %d\n%s\n%s", cmd.ProcessState.ExitCode(), out.String(), errs.String())
	client := &dockercli.Client{Path: testEngine(t)}
	all, err := client.ContainerList(t.Context(), map[string]string{engine.LabelOwner: ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if strings.Contains(c.Labels[engine.LabelOwner], fmt.Sprintf(":%d:", cmd.ProcessState.Pid())) {
			t.Errorf("%s was left behind", c.Name)
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), dir
}

func TestScriptedConversation(t *testing.T) {
	is := is.New(t)
	code, stdout, stderr, dir := converse(t, "", "-yes", onlyJob)
	is.Equal(code, 0) // exit code
	is.True(strings.Contains(stderr, "A SCRIPTED MODEL ANSWERS"))
	is.True(strings.Contains(stderr, "7 messages of the model"))
	rest := stdout
	for _, step := range []string{
		"I write a program", "→ write_file", "created plot.py",
		"→ execute", "KeyError: 'petal length'", "[exit code 1]",
		"no such column", "→ read_file", `flowers["petal length"]`,
		"→ execute", "petal length (cm)",
		"→ edit_file", "edited plot.py",
		"→ execute", "150 flowers of 3 species",
		"→ read_file", "image/png", "figure saved: " + filepath.Join("out", "iris.png"),
		"The figure is in iris.png, 960 x 720 pixels",
	} {
		_, after, found := strings.Cut(rest, step)
		if !found {
			t.Fatalf("no %q in the rest of the transcript:\n%s", step, rest)
		}
		rest = after
	}
	file, err := os.Open(filepath.Join(dir, "out", "iris.png"))
	is.NoErr(err)
	defer file.Close()
	figure, err := png.Decode(file)
	is.NoErr(err)
	is.Equal(figure.Bounds().Dx(), 960)
	is.Equal(figure.Bounds().Dy(), 720)
	colours := map[string]bool{}
	for y := range figure.Bounds().Dy() {
		for x := range figure.Bounds().Dx() {
			colours[fmt.Sprint(figure.At(x, y))] = true
		}
	}
	is.True(len(colours) > 50) // something is drawn
}

// The user allows the model to write the program but not to run it, then asks for something else.
func TestScriptedConversationWithQuestions(t *testing.T) {
	is := is.New(t)
	code, stdout, _, dir := converse(t, onlyJob+"\na\nno not today\nWrite a poem.\n")
	is.Equal(code, 0)                                                                 // exit code
	is.True(strings.Contains(stdout, "  │ from sklearn.datasets import load_iris\n")) // the exact call
	is.True(strings.Contains(stdout, "/workspace/plot.py"))                           // the real path
	is.True(strings.Contains(stdout, "who says: not today"))
	is.True(!strings.Contains(stdout, "KeyError"))
	is.True(strings.Contains(stdout, "know one job"))
	_, err := os.Stat(filepath.Join(dir, "out"))
	is.True(os.IsNotExist(err)) // nothing was saved
}

func TestScriptedConversationReadOnly(t *testing.T) {
	is := is.New(t)
	code, stdout, _, _ := converse(t, "", "-permissions", "read-only", onlyJob)
	is.Equal(code, 0) // exit code
	is.True(strings.Contains(stdout, "I need the tool write_file"))
}
