package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/matryer/is"
)

func TestParseCopied(t *testing.T) {
	for text, want := range map[string]copySpec{
		"a":          {"a", ""},
		"a:b":        {"a", "b"},
		"./x/y:/z":   {"./x/y", "/z"},
		`C:\x`:       {`C:\x`, ""},
		`C:\x:dir/y`: {`C:\x`, "dir/y"},
	} {
		t.Run(text, func(t *testing.T) {
			is := is.New(t)
			got, err := parseCopySpec(text)
			is.NoErr(err)
			is.Equal(got, want)
		})
	}
	for _, text := range []string{"", ":b", "a:"} {
		t.Run("refused "+text, func(t *testing.T) {
			is := is.New(t)
			_, err := parseCopySpec(text)
			is.True(err != nil)
		})
	}
}

func TestParsePort(t *testing.T) {
	is := is.New(t)
	for text, want := range map[string]port{"80": {80, 0}, "8080:80": {80, 8080}} {
		got, err := parsePort(text)
		is.NoErr(err)
		is.Equal(got, want)
	}
	for _, text := range []string{"", "0", "65536", "x", "80:", ":80", "0:80", "-1"} {
		_, err := parsePort(text)
		is.True(err != nil) // refused
	}
}

func TestUploadAndDownload(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"project/main.txt": "main\n", "project/sub/x": "x\n", "one": "1\n"} {
		is.NoErr(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		is.NoErr(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	cmd := sandboxed(t, "--upload", "project", "--upload", "one", "--upload", "project:/tmp/again",
		"--download", "made", "--download", "sub/x:got/it",
		"--", "sh", "-c", "find . /tmp/again -type f | sort; mkdir made; cat main.txt one > made/both; exit 3")
	cmd.Dir = dir
	got := finish(t, cmd)
	is.Equal(got.code, 3)
	is.Equal(got.stdout, "./main.txt\n./one\n./sub/x\n/tmp/again/main.txt\n/tmp/again/sub/x\n")
	for name, want := range map[string]string{"made/both": "main\n1\n", "got/it": "x\n"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		is.NoErr(err)
		is.Equal(string(text), want)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing to upload":   {[]string{"--upload", "none", "--", "true"}, "none"},
		"nothing to download": {[]string{"--download", "none", "--", "true"}, "none"},
		"an unsafe link":      {[]string{"--download", "out", "--", "sh", "-c", "mkdir out; ln -s /etc/passwd out/link"}, "link"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cmd := sandboxed(t, c.args...)
			cmd.Dir = dir
			got := finish(t, cmd)
			is.Equal(got.code, exitEngine)
			is.True(strings.Contains(got.stderr, c.says)) // names it
			_, err := os.Lstat(filepath.Join(dir, "out"))
			is.True(os.IsNotExist(err)) // nothing half done
		})
	}
}

func TestExposed(t *testing.T) {
	is := is.New(t)
	cmd := sandboxed(t, "--expose", "8000", "--", "sh", "-c", "echo hello > index.html; exec httpd -f -p 127.0.0.1:8000")
	stderr, err := cmd.StderrPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Signal(os.Interrupt)
	line, err := bufio.NewReader(stderr).ReadString('\n')
	is.NoErr(err)
	url := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`).FindString(line)
	is.True(url != "") // it is told
	var text []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		r, err := http.Get(url + "/index.html")
		if err != nil {
			continue // nobody listens inside yet
		}
		text, err = io.ReadAll(r.Body)
		r.Body.Close()
		is.NoErr(err)
		break
	}
	is.Equal(string(text), "hello\n")
}

func TestSnapshots(t *testing.T) {
	is := is.New(t)
	name := fmt.Sprintf("cli-%d", time.Now().UnixNano())
	snapshots := func(args ...string) end {
		return finish(t, program(t, append([]string{"snapshots", "--engine", testEngine(t)}, args...)...))
	}
	t.Cleanup(func() {
		on := engine.Docker(&dockercli.Client{Path: testEngine(t)})
		if err := sandbox.RemoveSnapshot(context.Background(), on, name); err != nil {
			t.Error(err)
		}
	})
	got := finish(t, sandboxed(t, "--snapshot", name, "--", "sh", "-c", "echo kept > file; exit 2"))
	is.Equal(got.code, 2)
	got = snapshots()
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, name))
	got = finish(t, program(t, "run", "--engine", testEngine(t), "--from-snapshot", name, "--", "cat", "file"))
	is.Equal(got.stdout, "kept\n")
	is.Equal(snapshots("--remove", name).code, 0)
	got = finish(t, program(t, "run", "--engine", testEngine(t), "--from-snapshot", name, "--", "cat", "file"))
	is.Equal(got.code, exitEngine)
	is.True(strings.Contains(got.stderr, "no snapshot "+name))
	is.Equal(snapshots("stray").code, exitUsage)
	is.Equal(snapshots("--remove").code, exitUsage)
}
