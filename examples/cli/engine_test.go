package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
	"github.com/matryer/is"
)

// actAsDrydock makes this test binary act as the program under test.
const actAsDrydock = "DRYDOCK_CLI_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(actAsDrydock) != "" {
		main()
	}
	os.Exit(m.Run())
}

// busybox is an image that scripts/setup makes.
const busybox = "localhost/drydock/busybox:1"

// program returns drydock with args, not started yet.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), actAsDrydock+"=1")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// testEngine returns the engine to test on. If none is named it skips the test.
func testEngine(t *testing.T) string {
	t.Helper()
	name := os.Getenv(sandboxtest.EnvEngine)
	if name == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine")
	}
	return name
}

// sandboxed returns drydock run with args on the engine and image of the tests, not started yet.
func sandboxed(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return program(t, append([]string{"run", "--engine", testEngine(t), "--image", busybox}, args...)...)
}

// end is how a run of the program ended.
type end struct {
	code           int
	stdout, stderr string
}

func finish(t *testing.T, cmd *exec.Cmd) end {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("%q\nexit %d, stdout %.500q\nstderr %s", cmd.Args[1:], cmd.ProcessState.ExitCode(), stdout.String(), stderr.String())
	return end{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// containersOf returns the containers that the process pid opened.
func containersOf(t *testing.T, pid int) (names []string) {
	t.Helper()
	client := &dockercli.Client{Path: testEngine(t)}
	all, err := client.ContainerList(t.Context(), map[string]string{engine.LabelOwner: ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if strings.Contains(c.Labels[engine.LabelOwner], fmt.Sprintf(":%d:", pid)) {
			names = append(names, c.Name)
		}
	}
	return names
}

// start starts the program and returns when its first line of output has come.
func start(t *testing.T, cmd *exec.Cmd) (first string, rest *bufio.Reader) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	rest = bufio.NewReader(stdout)
	if first, err = rest.ReadString('\n'); err != nil {
		t.Fatalf("no line of output: %q, %v", first, err)
	}
	if len(containersOf(t, cmd.Process.Pid)) != 1 {
		t.Fatal("the container of a running command is not seen, so its absence would prove nothing")
	}
	return first, rest
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]struct {
		code           int
		stdout, stderr string
	}{
		"":                            {2, "", "no command; write one"},
		"--help":                      {0, "usage: drydock COMMAND", ""},
		"help":                        {0, "usage: drydock COMMAND", ""},
		"ruin":                        {2, "", `unknown command "ruin"`},
		"run --help":                  {0, "usage: drydock run", ""},
		"run":                         {2, "", "drydock run: no command"},
		"run --bogus -- true":         {2, "", "See drydock run --help"},
		"run --json --bogus -- true":  {2, "", "not defined: -bogus"},
		"run --memory lots -- true":   {2, "", "512m"},
		"run --timeout soon -- true":  {2, "", "30s"},
		"run -t -- true":              {2, "", "stdin is none"},
		"python --help":               {0, "usage: drydock python", ""},
		"python --bogus":              {2, "", "See drydock python --help"},
		"python /no/one.py":           {2, "", "/no/one.py: no such file"},
		"runtimes --help":             {0, "usage: drydock runtimes", ""},
		"runtimes --bogus":            {2, "", "See drydock runtimes --help"},
		"runtimes lab":                {2, "", `unexpected argument "lab"`},
		"runtimes --schema":           {0, "json-schema.org", ""},
		"build --help":                {0, "usage: drydock build", ""},
		"build":                       {2, "", "no runtimes; write their names"},
		"build --all lab":             {2, "", "both --all and"},
		"images --help":               {0, "usage: drydock images", ""},
		"images lab":                  {2, "", `unexpected argument "lab"`},
		"prune --help":                {0, "usage: drydock prune", ""},
		"prune --unused-for 30":       {2, "", "30d"},
		"export --help":               {0, "usage: drydock export", ""},
		"export":                      {2, "", "no file; write its name"},
		"export a.tar":                {2, "", "no runtimes; write their names"},
		"import --help":               {0, "usage: drydock import", ""},
		"import":                      {2, "", "no file; write the name of one"},
		"import /no/one":              {125, "", "/no/one: no such file"},
		"runtimes --runtimes /no/one": {1, "", "/no/one: cannot be read"},
	} {
		t.Run(args, func(t *testing.T) {
			is := is.New(t)
			got := finish(t, program(t, strings.Fields(args)...))
			is.Equal(got.code, want.code)                      // exit code
			is.True(strings.Contains(got.stdout, want.stdout)) // stdout
			is.True(strings.Contains(got.stderr, want.stderr)) // stderr
			is.Equal(got.stdout == "", want.stdout == "")      // stdout is for results
			is.Equal(got.stderr == "", want.stderr == "")      // stderr is for errors
		})
	}
}

func TestRuntimeFiles(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "lab.yaml")
	is.NoErr(os.WriteFile(file, []byte("runtimes: {lab: {image: debian:12}}\n"), 0o644))
	got := finish(t, program(t, "runtimes", "--json", "--runtimes", file))
	var list []map[string]any
	is.NoErr(json.Unmarshal([]byte(got.stdout), &list))
	is.Equal(list[len(list)-1]["name"], "lab")        // laid over the presets
	is.Equal(list[len(list)-1]["image"], "debian:12") // with its image
}

// These need no engine.
func TestNoEngine(t *testing.T) {
	for _, path := range []string{"drydock-test-no-such-engine", "/nonexistent"} {
		t.Run(path, func(t *testing.T) {
			is := is.New(t)
			got := finish(t, program(t, "run", "--engine", path, "--", "true"))
			is.Equal(got.code, 125)                                           // no sandbox
			is.True(strings.Contains(got.stderr, path))                       // names the engine
			is.True(strings.Contains(got.stderr, "install docker or podman")) // says what to install
			got = finish(t, program(t, "runtimes", "--engine", path))
			is.Equal(got.code, 0)                                                      // the list is there
			is.True(strings.Contains(got.stdout, "python-datascience"))                // all the same
			is.True(!strings.Contains(got.stdout, "BUILT"))                            // without sizes
			is.True(strings.Contains(got.stderr, "because the engine did not answer")) // and says so
		})
	}
	t.Run("unknown runtime", func(t *testing.T) {
		is := is.New(t)
		got := finish(t, program(t, "run", "--runtime", "pyton-web", "--", "true"))
		is.Equal(got.code, 125)                                                     // no sandbox
		is.True(strings.Contains(got.stderr, `did you mean "python-web"`))          // the likely one
		is.True(strings.Contains(got.stderr, "python-minimal, python-datascience")) // and all
	})
	t.Run("json", func(t *testing.T) {
		is := is.New(t)
		got := finish(t, program(t, "run", "--json", "--runtime", "none", "--", "true"))
		r := decode(t, got.stdout)
		is.Equal(got.code, 125)                                      // no sandbox
		is.Equal(r.Outcome, "engine_fault")                          // outcome
		is.Equal(r.ExitCode, -1)                                     // there is none
		is.True(strings.Contains(r.Error, `unknown runtime "none"`)) // error
		is.Equal(got.stderr, "")                                     // all is in the object
	})
}

func decode(t *testing.T, text string) (r report) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one object: %q", text)
	}
	return r
}

func TestRunStreams(t *testing.T) {
	is := is.New(t)
	cmd := sandboxed(t, "--", "sh", "-c", `echo one; read line; echo "two $line"; echo three >&2`)
	stdin, err := cmd.StdinPipe()
	is.NoErr(err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	first, rest := start(t, cmd)
	is.Equal(first, "one\n") // comes while the command waits
	_, err = io.WriteString(stdin, "answer\n")
	is.NoErr(err)
	is.NoErr(stdin.Close())
	out, err := io.ReadAll(rest)
	is.NoErr(err)
	is.NoErr(cmd.Wait())
	is.Equal(string(out), "two answer\n")              // stdout to stdout
	is.Equal(stderr.String(), "three\n")               // stderr to stderr, and nothing beside it
	is.Equal(len(containersOf(t, cmd.Process.Pid)), 0) // containers left
}

func TestRunStdin(t *testing.T) {
	is := is.New(t)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i)
	}
	cmd := sandboxed(t, "--", "cat")
	cmd.Stdin = bytes.NewReader(data)
	got := finish(t, cmd)
	is.Equal(got.code, 0)                                     // exit code
	is.True(got.stdout == string(data))                       // every byte
	is.Equal(finish(t, sandboxed(t, "--", "cat")).stdout, "") // without one it is empty
}

func TestRunExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"exit code":       {[]string{"sh", "-c", "exit 3"}, 3, ""},
		"exit code 255":   {[]string{"sh", "-c", "exit 255"}, 255, ""},
		"signal":          {[]string{"sh", "-c", "kill -SEGV $$"}, 139, ""},
		"killed":          {[]string{"sh", "-c", "kill -KILL $$"}, 137, ""},
		"not found":       {[]string{"nope"}, 127, "command not found"},
		"not found by -":  {[]string{"-x"}, 127, "command not found"},
		"no such file":    {[]string{"./nope"}, 127, "command not found"},
		"not executable":  {[]string{"/etc/hostname"}, 126, "not executable"},
		"a directory":     {[]string{"/tmp"}, 126, "is a directory"},
		"argument with -": {[]string{"test", "--json", "=", "--json"}, 0, ""},
		"file with -":     {[]string{"sh", "-c", "echo > ./-f && rm -- -f"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got := finish(t, sandboxed(t, append([]string{"--"}, c.args...)...))
			is.Equal(got.code, c.code)                      // exit code
			is.True(strings.Contains(got.stderr, c.stderr)) // what went wrong
			is.Equal(got.stderr == "", c.stderr == "")      // and only then
		})
	}
}

func TestRunTimeout(t *testing.T) {
	for name, c := range map[string]struct{ script, rung string }{
		"leader and child heed TERM":       {"echo begun; sleep 100 & sleep 100", "term"},
		"child ignores TERM, holds stdout": {"(trap '' TERM; echo begun; sleep 100; sleep 100) & wait", "kill"},
		"leader ignores TERM":              {"trap '' TERM; echo begun; while :; do sleep 1; done", "kill"},
		"child in a session of its own":    {"setsid sleep 100 & echo begun; sleep 100", "term"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cmd := sandboxed(t, "--json", "--timeout", "500ms", "--", "sh", "-c", c.script)
			got := finish(t, cmd)
			r := decode(t, got.stdout)
			is.Equal(got.code, 124)                               // exit code
			is.Equal(r.Outcome, "timed_out")                      // outcome
			is.Equal(r.Rung, c.rung)                              // rung
			is.Equal(r.Stdout, "begun\n")                         // what it wrote is kept
			is.True(r.DurationMS >= 500 && r.DurationMS < 20_000) // in time
			is.Equal(len(containersOf(t, cmd.Process.Pid)), 0)    // containers left
		})
	}
	t.Run("without json", func(t *testing.T) {
		is := is.New(t)
		got := finish(t, sandboxed(t, "--timeout", "500ms", "--", "sh", "-c", "echo begun; sleep 100"))
		is.Equal(got, end{124, "begun\n", "drydock: timed out after 500ms\n"}) // says so
	})
}

func TestRunJSON(t *testing.T) {
	is := is.New(t)
	got := finish(t, sandboxed(t, "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 3"))
	is.Equal(got.code, 3)    // passed on
	is.Equal(got.stderr, "") // it is in the object
	var fields map[string]any
	is.NoErr(json.Unmarshal([]byte(got.stdout), &fields))
	is.True(fields["duration_ms"].(float64) < 60_000) // duration
	delete(fields, "duration_ms")
	is.Equal(fields, map[string]any{
		"outcome": "exited", "exit_code": 3.0, "signal": "", "rung": "none",
		"stdout": "out\n", "stderr": "err\n", "truncated": false,
	})

	got = finish(t, sandboxed(t, "--json", "--", "sh", "-c", "yes | head -c 300000; kill $$"))
	r := decode(t, got.stdout)
	is.Equal(got.code, 143)          // 128 and SIGTERM
	is.Equal(r.Outcome, "signaled")  // outcome
	is.Equal(r.Signal, "SIGTERM")    // signal
	is.True(r.Truncated)             // truncated
	is.True(len(r.Stdout) < 110_000) // to the capture limit

	got = finish(t, sandboxed(t, "--json", "--", "nope"))
	r = decode(t, got.stdout)
	is.Equal(got.code, 127)            // not found
	is.Equal(r.Outcome, "not_started") // outcome
	is.True(r.Error != "")             // error
}

func TestRunOptions(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.Mkdir(filepath.Join(dir, "-a b"), 0o755))
	is.NoErr(os.WriteFile(filepath.Join(dir, "-a b", "f"), []byte("from the host"), 0o644))
	for name, c := range map[string]struct {
		args   []string
		script string
		want   string
	}{
		"env":        {[]string{"--env", "A=b=c $HOME", "--env", "EMPTY="}, `echo "$A|${EMPTY-unset}"`, "b=c $HOME|\n"},
		"work dir":   {[]string{"--workdir", "/some/where"}, "pwd; touch x && ls", "/some/where\nx\n"},
		"user":       {[]string{"--user", "12345:54321"}, "id -u; id -g", "12345\n54321\n"},
		"mount":      {[]string{"--mount", "./-a b:/data:ro"}, "cat /data/f; echo x 2>/dev/null >/data/new || echo ' read-only'", "from the host read-only\n"},
		"no network": {nil, "ls /sys/class/net", "lo\n"},
		"memory":     {[]string{"--memory", "64MiB"}, "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null", "67108864\n"},
		"pids":       {[]string{"--pids", "32"}, "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null", "64\n"}, // 32 are the guest's
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			// The progress of builds is tested elsewhere.
			cmd := sandboxed(t, append(c.args, "--", "sh", "-c", c.script)...)
			cmd.Dir = dir
			is.Equal(finish(t, cmd).stdout, c.want) // as the command sees it
		})
	}
}

func TestRunRefused(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"missing mount":     {[]string{"--mount", "./not-here:/data"}, "make the directory first"},
		"system mount":      {[]string{"--mount", "/etc:/data"}, "system directory"},
		"mount on a system": {[]string{"--mount", ".:/etc"}, "belongs to the system"},
		"volume with -":     {[]string{"--mount", "-v:/data"}, "name of a volume"},
		"work dir":          {[]string{"--workdir", "/etc"}, "write another"},
		"relative work dir": {[]string{"--workdir", "x"}, "absolute path"},
		"user":              {[]string{"--user", "-x"}, "uid:gid"},
		"memory":            {[]string{"--memory", "1k"}, "at least"},
		"image with -":      {[]string{"--image", "-x"}, "not an image reference"},
		"offline":           {[]string{"--offline", "--image", "localhost/drydock/not-here:1"}, "offline"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cmd := sandboxed(t, append(c.args, "--", "true")...)
			got := finish(t, cmd)
			is.Equal(got.code, 125)                            // no sandbox
			is.True(strings.Contains(got.stderr, c.want))      // the way out
			is.Equal(len(containersOf(t, cmd.Process.Pid)), 0) // containers left
		})
	}
}

func TestRunInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals can be sent")
	}
	const stubborn = "trap '' TERM; echo begun; while :; do sleep 1; done"
	for name, c := range map[string]struct {
		script string
		signal syscall.Signal
		code   int
	}{
		"SIGINT":               {"echo begun; sleep 100", syscall.SIGINT, 130},
		"SIGTERM":              {"echo begun; sleep 100", syscall.SIGTERM, 143},
		"SIGINT, TERM ignored": {stubborn, syscall.SIGINT, 130},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cmd := sandboxed(t, "--", "sh", "-c", c.script)
			start(t, cmd)
			is.NoErr(cmd.Process.Signal(c.signal))
			_ = cmd.Wait()
			is.Equal(cmd.ProcessState.ExitCode(), c.code)      // 128 and the signal
			is.Equal(len(containersOf(t, cmd.Process.Pid)), 0) // containers left
		})
	}
	t.Run("json", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir() // the command shows here that it has begun
		cmd := sandboxed(t, "--json", "--mount", dir+":/workspace", "--", "sh", "-c", "echo begun; touch begun; sleep 100")
		var stdout bytes.Buffer
		cmd.Stdout = &stdout
		is.NoErr(cmd.Start())
		eventually(t, "the command", func() bool {
			_, err := os.Stat(filepath.Join(dir, "begun"))
			return err == nil
		})
		is.NoErr(cmd.Process.Signal(syscall.SIGINT))
		_ = cmd.Wait()
		r := decode(t, stdout.String())
		is.Equal(cmd.ProcessState.ExitCode(), 130)         // 128 and SIGINT
		is.Equal(r.Outcome, "canceled")                    // outcome
		is.Equal(r.Stdout, "begun\n")                      // what it wrote is kept
		is.Equal(len(containersOf(t, cmd.Process.Pid)), 0) // containers left
	})
	t.Run("twice", func(t *testing.T) {
		is := is.New(t)
		cmd := sandboxed(t, "--", "sh", "-c", stubborn)
		start(t, cmd)
		is.NoErr(cmd.Process.Signal(syscall.SIGINT))
		time.Sleep(200 * time.Millisecond) // signals of one number that wait are one
		is.NoErr(cmd.Process.Signal(syscall.SIGINT))
		begin := time.Now()
		_ = cmd.Wait()
		is.True(time.Since(begin) < time.Second)                                       // at once
		is.Equal(cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGINT) // by the signal itself
		gone(t, cmd.Process.Pid)
	})
}

func TestRunKilled(t *testing.T) {
	is := is.New(t)
	cmd := sandboxed(t, "--", "sh", "-c", "trap '' TERM; echo begun; setsid sleep 100 & while :; do sleep 1; done")
	start(t, cmd)
	is.NoErr(cmd.Process.Kill())
	gone(t, cmd.Process.Pid)
}

func TestPythonScripts(t *testing.T) {
	dir := t.TempDir()
	is := is.New(t)
	is.NoErr(os.WriteFile(filepath.Join(dir, "a.py"), []byte("x = 'a'\nprint(x, end='')\n"), 0o644))
	for name, c := range map[string]struct {
		args           []string
		stdin          string
		code           int
		stdout, stderr string
	}{
		"stdin":       {nil, "def f():\n  return 1\n\nprint(f())\nf() + 1\n", 0, "1\n2\n", ""},
		"empty":       {nil, "", 0, "", ""},
		"code":        {[]string{"-c", "x = 1", "-c", "x + 1"}, "print('unread')", 0, "2\n", ""},
		"file":        {[]string{"a.py"}, "print('unread')", 0, "a", ""},
		"all":         {[]string{"-i", "-c", "x = 1", "a.py"}, "x * 2", 0, "a\n'aa'\n", ""},
		"stderr":      {[]string{"-c", "import sys; print(1); print(2, file=sys.stderr)"}, "", 0, "1\n", "2\n"},
		"sys.exit":    {[]string{"-c", "import sys; sys.exit(4)", "-c", "print(1)"}, "", 4, "", ""},
		"exception":   {[]string{"-c", "raise KeyError('\x1b[2J')", "-c", "print(1)"}, "", 1, "", "KeyError: '\\x1b[2J'\n"},
		"bad syntax":  {[]string{"-c", "f("}, "", 1, "", "SyntaxError"},
		"timeout":     {[]string{"--timeout", "500ms", "-c", "print(1, flush=True)\nwhile True: pass"}, "", 124, "1\n", "drydock: timed out after 500ms\n"},
		"process":     {[]string{"-c", "import os; os._exit(5)"}, "", 5, "", "(exit code 5)"},
		"crash":       {[]string{"-c", "import os; os.kill(os.getpid(), 9)"}, "", 137, "", "(SIGKILL)"},
		"no python":   {[]string{"--image", busybox, "-c", "1"}, "", 127, "", "command not found"},
		"environment": {[]string{"--env", "A=b", "-c", "import os; os.environ['A']"}, "", 0, "'b'\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cmd := program(t, append([]string{"python", "--engine", testEngine(t)}, c.args...)...)
			cmd.Dir = dir
			cmd.Stdin = strings.NewReader(c.stdin)
			got := finish(t, cmd)
			is.Equal(got.code, c.code)                         // exit code
			is.Equal(got.stdout, c.stdout)                     // stdout
			is.True(strings.Contains(got.stderr, c.stderr))    // stderr
			is.Equal(len(containersOf(t, cmd.Process.Pid)), 0) // containers left
		})
	}
	_, err := os.Stat(filepath.Join(dir, "out"))
	is.True(os.IsNotExist(err)) // made only for an image
}

// gone waits until the containers of a killed process are removed. On an idle machine that takes
// well under a second.
func gone(t *testing.T, pid int) {
	t.Helper()
	begin := time.Now()
	eventually(t, "no container", func() bool { return len(containersOf(t, pid)) == 0 })
	t.Logf("container gone after %v", time.Since(begin).Round(time.Millisecond))
}

func eventually(t *testing.T, event string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting for %s", event)
		}
	}
}
