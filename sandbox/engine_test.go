package sandbox_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// child is set in the processes that are killed: to 1 in TestEndsWithItsProcess, to a
// sandbox's name in TestLeaseOutlivesItsProcess.
const child = "DRYDOCK_TEST_CHILD"

func TestMain(m *testing.M) {
	switch name := os.Getenv(child); name {
	case "":
	case "1":
		holdSandbox()
	default:
		leaveSandbox(name)
	}
	flag.Parse()
	if run := flag.Lookup("test.run"); os.Getenv("DRYDOCK_TEST_ENGINE") == "" && run.Value.String() == "" {
		// Examples cannot skip, and all of this package's need an engine.
		if err := run.Value.Set("^(Test|Fuzz)"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestIsolation(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{Memory: 256 << 20, CPUs: 1000, PIDs: 99})
	ctx := context.Background()

	r, err := sb.Exec(ctx, `id -u; cat /proc/self/status; ls /sys/class/net; touch /no; ulimit -c
		touch here ~/here /tmp/here && cp /bin/busybox ~/busybox && ~/busybox true && echo writable`)
	is.NoErr(err)
	out := string(r.Stdout)
	uid, _ := sb.User()
	is.True(strings.HasPrefix(out, fmt.Sprint(uid, "\n")))      // the guest's hello tells the uid
	is.True(uid != 0 || os.Getuid() != 0)                       // not root inside
	is.True(strings.Contains(out, "CapBnd:\t0000000000000000")) // no capability can be had
	is.True(strings.Contains(out, "NoNewPrivs:\t1"))
	is.True(strings.Contains(out, "Seccomp:\t2"))
	is.True(strings.Contains(out, "\nlo\n") && !strings.Contains(out, "eth0"))
	is.True(strings.Contains(string(r.Stderr), "/no: Read-only file system"))
	is.True(strings.Contains(out, "writable\n"))

	// What the engine says it applied.
	raw, err := exec.Command(cli, "inspect", sb.Name()).Output()
	is.NoErr(err)
	var all []struct {
		HostConfig struct {
			Memory, MemorySwap, NanoCpus, PidsLimit int64
			ReadonlyRootfs, AutoRemove, Privileged  bool
			NetworkMode, IpcMode                    string
			LogConfig                               struct{ Type string }
			RestartPolicy                           struct{ Name string }
		}
		Config struct{ Labels map[string]string }
	}
	is.NoErr(json.Unmarshal(raw, &all))
	h := all[0].HostConfig
	is.Equal(h.Memory, int64(256<<20))
	is.Equal(h.MemorySwap, int64(256<<20))
	is.Equal(h.PidsLimit, int64(99+32)) // with the guest's room
	info, err := enginetest.Here().Info(ctx)
	is.NoErr(err)
	is.Equal(h.NanoCpus, int64(info.CPUs)*1e9) // clamped to what there is
	is.True(h.ReadonlyRootfs && h.AutoRemove && !h.Privileged)
	is.Equal(h.NetworkMode, "none")
	is.Equal(h.LogConfig.Type, "none")
	is.Equal(all[0].Config.Labels[engine.LabelKind], "sandbox")
	is.Equal(strings.Count(all[0].Config.Labels[engine.LabelOwner], ":"), 2)
}

func TestFurtherLimits(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{
		Tmpfs:   map[string]int64{"/cache": 1 << 20, "/tmp": 2 << 20},
		Ulimits: map[string]engine.Ulimit{"nofile": {Soft: 100, Hard: 200}},
		Network: "bridge",
	})
	r, err := sb.Exec(context.Background(), `ulimit -n; df -k /cache | awk 'END{print $2}'; df -k /tmp | awk 'END{print $2}'
		touch /cache/x /tmp/x && ls /sys/class/net | grep -c eth0; head -c 3000000 /dev/zero > /cache/big || echo full`)
	is.NoErr(err)
	is.Equal(string(r.Stdout), "100\n1024\n2048\n1\nfull\n") // an error of the write, and nobody died
}

func TestAccount(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Env: map[string]string{"GREETING": "a b$c\n'd'"}})
	r, err := sb.Exec(context.Background(), `whoami; echo "$HOME $USER"; pwd; echo "$GREETING"; stat -c %U .`)
	is.NoErr(err)
	is.Equal(string(r.Stdout), "sandbox\n/home/sandbox sandbox\n/workspace\na b$c\n'd'\nsandbox\n")
}

// With an explicit user the account file has no entry to add for a number it knows.
func TestUser(t *testing.T) {
	for _, test := range []struct{ user, want string }{
		{"1234", "1234 1234"},
		{"1234:5678", "1234 5678"},
		{"0:0", "0 0"},
		{"root", "0 0"},
	} {
		t.Run(test.user, func(t *testing.T) {
			is := is.New(t)
			sb := enginetest.Open(t, sandbox.Options{User: test.user})
			r, err := sb.Exec(context.Background(), "echo $(id -u) $(id -g); touch ~/x /tmp/x ./x && echo ok")
			is.NoErr(err)
			is.Equal(string(r.Stdout), test.want+"\nok\n")
		})
	}
}

func TestImageWithoutShell(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Image: enginetest.Static})
	ctx := context.Background()
	_, err := sb.WriteFile(ctx, "a/b", []byte("x"), nil)
	is.NoErr(err)
	entries, err := sb.ReadDir(ctx, "/")
	is.NoErr(err)
	program := ""
	for _, e := range entries {
		if e.Mode().IsRegular() && e.Mode()&0o111 != 0 && e.Name() != ".dockerenv" {
			program = "/" + e.Name()
		}
	}
	r, err := sb.Command(program, "hello").Run(ctx)
	is.NoErr(err)
	is.True(r.OK() && strings.Contains(string(r.Stdout), "hello"))

	_, err = sb.Exec(ctx, "true")
	is.True(errors.Is(err, fs.ErrNotExist)) // there is no /bin/sh
}

func TestCommand(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()

	t.Run("streams apart", func(t *testing.T) {
		is := is.New(t)
		r, err := sb.Exec(ctx, `printf 'out\0\377'; printf err >&2; exit 7`)
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Exited)
		is.Equal(r.ExitCode, 7)
		is.Equal(r.Rung, sandbox.RungNone)
		is.Equal(string(r.Stdout), "out\x00\xff")
		is.Equal(string(r.Stderr), "err")
		is.True(r.Duration > 0)
	})
	t.Run("stdin and a writer", func(t *testing.T) {
		is := is.New(t)
		in := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // beyond every window
		var out bytes.Buffer
		cmd := sb.Command("cat")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(in), &out
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.True(r.OK())
		is.True(bytes.Equal(out.Bytes(), in))
	})
	t.Run("merged in order", func(t *testing.T) {
		is := is.New(t)
		var out bytes.Buffer
		cmd := sb.Command("sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done")
		cmd.Stdout, cmd.Stderr = &out, &out
		_, err := cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(out.String(), "o1\ne1\no2\ne2\no3\ne3\n")
	})
	t.Run("stdin that blocks for ever", func(t *testing.T) {
		is := is.New(t)
		r, w := io.Pipe()
		defer w.Close()
		cmd := sb.Command("true")
		cmd.Stdin = r
		result, err := cmd.Run(ctx)
		is.NoErr(err)
		is.True(result.OK())
	})
	t.Run("environment and directory", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.WriteFile(ctx, "sub/f", nil, nil)
		is.NoErr(err)
		cmd := sb.Command("sh", "-c", "echo $A $B; ls")
		cmd.Env, cmd.Dir = []string{"A=1", "B=2", "A=3"}, "sub"
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "3 2\nf\n")
	})
	t.Run("much output is kept as head and tail", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "seq 1 200000")
		cmd.Capture = 1000
		r, err := cmd.Run(ctx)
		is.NoErr(err)
		is.True(strings.HasPrefix(string(r.Stdout), "1\n2\n3\n"))
		is.True(strings.HasSuffix(string(r.Stdout), "\n199999\n200000\n"))
		is.Equal(r.StdoutDropped, int64(1288895-1000)) // seq writes 1,288,895 bytes
		is.True(strings.Contains(string(r.Stdout), "[... 1287895 bytes dropped ...]"))
	})
	t.Run("killed by a signal", func(t *testing.T) {
		is := is.New(t)
		r, err := sb.Exec(ctx, "kill -SEGV $$")
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.Signaled)
		is.Equal(r.Signal, "SIGSEGV")
		is.Equal(r.ExitCode, -1)
	})
	t.Run("background child", func(t *testing.T) {
		is := is.New(t)
		start := time.Now()
		r, err := sb.Exec(ctx, "(sleep 1; echo late; echo late >&2; touch survived) & echo early")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "early\n")
		is.True(time.Since(start) < 900*time.Millisecond) // the child does not hold the result
		r, err = sb.Exec(ctx, "sleep 1.5; ls survived")
		is.NoErr(err)
		is.Equal(string(r.Stdout)+string(r.Stderr), "survived\n") // nor is it killed, nor seen here
	})
	t.Run("writer that fails", func(t *testing.T) {
		is := is.New(t)
		broken := errors.New("broken")
		cmd := sb.Command("sh", "-c", "seq 1 100000; exit 3")
		cmd.Stdout = writerFunc(func(p []byte) (int, error) { return 0, broken })
		r, err := cmd.Run(ctx)
		is.True(errors.Is(err, broken))
		is.Equal(r.ExitCode, 3) // the command itself went on
	})
	t.Run("many at once", func(t *testing.T) {
		is := is.New(t)
		var wg sync.WaitGroup
		results := make([]string, 50)
		for i := range results {
			wg.Go(func() {
				r, err := sb.Exec(ctx, fmt.Sprintf("echo %d; seq 1 2000 >/dev/null", i))
				if err == nil {
					results[i] = string(r.Stdout)
				}
			})
		}
		wg.Wait()
		for i, got := range results {
			is.Equal(got, fmt.Sprintln(i))
		}
	})
	t.Run("a reader that stops does not stop the others", func(t *testing.T) {
		is := is.New(t)
		gate := make(chan struct{})
		slow := sb.Command("sh", "-c", "head -c 3000000 /dev/zero")
		n := 0
		slow.Stdout = writerFunc(func(p []byte) (int, error) { <-gate; n += len(p); return len(p), nil })
		is.NoErr(slow.Start(ctx))
		for range 20 {
			r, err := sb.Exec(ctx, "head -c 50000 /dev/zero")
			is.NoErr(err)
			is.Equal(len(r.Stdout), 50000)
		}
		close(gate)
		r, err := slow.Wait()
		is.NoErr(err)
		is.True(r.OK())
		is.Equal(n, 3000000)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestCommandEnds(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	stubborn := []string{"-c", "trap '' TERM; (trap '' TERM; sleep 60) & echo up; while :; do sleep 1; done"}
	survivors := func(is *is.I) string {
		is.Helper()
		r, err := sb.Exec(context.Background(), "ps -o args | grep '[s]leep 60'")
		is.NoErr(err)
		return string(r.Stdout)
	}

	t.Run("TERM is enough", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "echo partial; sleep 60")
		cmd.Timeout = 300 * time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err) // a timeout of the command is a result
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungTerm)
		is.Equal(r.Signal, "SIGTERM")
		is.Equal(string(r.Stdout), "partial\n") // what came before is kept
		is.Equal(survivors(is), "")
	})
	t.Run("KILL is needed", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", stubborn...)
		cmd.Timeout, cmd.Grace = 300*time.Millisecond, 200*time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungKill)
		is.Equal(r.Signal, "SIGKILL")
		is.Equal(string(r.Stdout), "up\n")
		is.Equal(survivors(is), "") // the group went with it
	})
	t.Run("a stopped command", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "kill -STOP $$")
		cmd.Timeout = 200 * time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.Rung, sandbox.RungTerm)
	})
	t.Run("exit code of its own on TERM", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done")
		cmd.Timeout = 300 * time.Millisecond
		r, err := cmd.Run(context.Background())
		is.NoErr(err)
		is.Equal(r.Outcome, sandbox.TimedOut)
		is.Equal(r.ExitCode, 5)
	})
	t.Run("canceled", func(t *testing.T) {
		is := is.New(t)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
		r, err := sb.Command("sh", stubborn...).Run(ctx)
		is.True(errors.Is(err, why))
		is.Equal(r.Outcome, sandbox.Canceled)
		is.Equal(r.Rung, sandbox.RungKill)
		is.Equal(survivors(is), "")
	})
	t.Run("deadline", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		r, err := sb.Exec(ctx, "sleep 60")
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.Equal(r.Outcome, sandbox.TimedOut)
	})
	t.Run("canceled before", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := sb.Exec(ctx, "true")
		is.True(errors.Is(err, context.Canceled))
	})
	t.Run("kill", func(t *testing.T) {
		is := is.New(t)
		cmd := sb.Command("sh", stubborn...)
		is.NoErr(cmd.Start(context.Background()))
		is.NoErr(cmd.Kill())
		r, err := cmd.Wait()
		// Killed before it ran, it was never started.
		if err != nil {
			var e *sandbox.Error
			is.True(errors.As(err, &e) && e.Code == sandbox.CodeAborted)
		} else {
			is.Equal(r.Outcome, sandbox.Canceled)
		}
		is.Equal(survivors(is), "")
	})
}

func TestCommandRefused(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	_, err := sb.WriteFile(ctx, "plain", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sb.WriteFile(ctx, "broken", []byte("\x7fELF nonsense"), &sandbox.WriteOptions{Mode: 0o755})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		cmd  *sandbox.Command
		code sandbox.Code
		text string
	}{
		{"missing", sb.Command("no-such-program"), "command_not_found", `exec ["no-such-program"]: "no-such-program": command not found in PATH=/usr/local/bin:/usr/bin:/bin`},
		{"missing path", sb.Command("./no"), "command_not_found", `exec ["./no"]: /workspace/no: command not found`},
		{"not executable", sb.Command("./plain"), "not_executable", `exec ["./plain"]: command "/workspace/plain" is not executable`},
		{"not a program", sb.Command("./broken"), "not_executable", `exec ["./broken"]: /workspace/broken: exec format error`},
		{"directory", sb.Command("/bin"), "is_dir", `exec ["/bin"]: command "/bin" is a directory`},
		{"empty", sb.Command(""), "invalid", `exec [""]: empty command`},
		{"NUL", sb.Command("echo", "a\x00b"), "invalid", `exec ["echo" "a\x00b"]: a NUL byte cannot be passed to a program`},
		{"too long", sb.Command("true", strings.Repeat("x", 200_000)), "arguments_too_long", `/bin/true: argument list too long`},
		{"too long to send", sb.Command("true", strings.Repeat("x", 4<<20)), "arguments_too_long", `at most 4194304 fit one call`},
		{"work dir", with(sb.Command("true"), func(c *sandbox.Command) { c.Dir = "/none" }), "not_exist", `exec ["true"]: working directory: stat /none: no such file or directory`},
		{"work dir is a file", with(sb.Command("true"), func(c *sandbox.Command) { c.Dir = "plain" }), "not_dir", `exec ["true"]: working directory "/workspace/plain" is not a directory`},
		{"environment", with(sb.Command("true"), func(c *sandbox.Command) { c.Env = []string{"novalue"} }), "invalid", `exec ["true"]: environment entry "novalue": write KEY=VALUE`},
		{"timeout", with(sb.Command("true"), func(c *sandbox.Command) { c.Timeout = -1 }), "invalid", `exec ["true"]: timeout -1ns is negative`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r, err := test.cmd.Run(ctx)
			is.True(r == nil) // nothing ran
			var e *sandbox.Error
			is.True(errors.As(err, &e))
			is.Equal(e.Code, test.code)
			if !strings.HasPrefix(test.name, "too long") {
				is.Equal(err.Error(), test.text)
			}
			is.True(strings.Contains(err.Error(), test.text))
		})
	}
	is := is.New(t)
	cmd := sb.Command("true")
	_, err = cmd.Run(ctx)
	is.NoErr(err)
	_, err = cmd.Run(ctx)
	is.Equal(err.Error(), `exec ["true"]: the command was started before: make another`)
}

func with(c *sandbox.Command, change func(*sandbox.Command)) *sandbox.Command {
	change(c)
	return c
}

func TestLost(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	cmd := sb.Command("sh", "-c", "echo partial; sleep 60")
	is.NoErr(cmd.Start(ctx))
	is.NoErr(waitFor(func() bool {
		r, err := sb.Exec(ctx, "ps -o args | grep -c '[s]leep 60'")
		return err == nil && strings.TrimSpace(string(r.Stdout)) != "0"
	}))
	out, err := exec.Command(cli, "kill", sb.Name()).CombinedOutput()
	is.NoErr(err)
	_ = out
	r, err := cmd.Wait()
	is.True(errors.Is(err, sandbox.ErrLost))
	is.Equal(r.Outcome, sandbox.Lost)
	is.Equal(string(r.Stdout), "partial\n") // what had come is kept
	<-sb.Done()
	is.True(errors.Is(sb.Err(), sandbox.ErrLost))
	_, err = sb.ReadFile(ctx, "x", nil)
	is.True(errors.Is(err, sandbox.ErrLost))
}

func TestClose(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{})
	cmd := sb.Command("sleep", "60")
	is.NoErr(cmd.Start(context.Background()))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { _ = sb.Close() })
	}
	wg.Wait()
	is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
	r, err := cmd.Wait()
	is.True(errors.Is(err, sandbox.ErrClosed))
	is.Equal(r.Outcome, sandbox.Lost)
	is.Equal(sb.Err(), sandbox.ErrClosed)
	_, err = sb.Exec(context.Background(), "true")
	is.True(errors.Is(err, sandbox.ErrClosed))
	is.NoErr(sb.Close())
}

func waitFor(cond func() bool) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if cond() {
			return nil
		}
	}
	return errors.New("did not happen within 10 s")
}

// holdSandbox is the process that is killed: it opens a sandbox, says its name and sleeps.
func holdSandbox() {
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{
		Image: enginetest.Busybox, Engine: enginetest.Here(),
	})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	cmd := sb.Command("sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done")
	if err := cmd.Start(context.Background()); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(sb.Name())
	select {}
}

// The container goes with the process that opened it, even by SIGKILL.
func TestEndsWithItsProcess(t *testing.T) {
	_, cli := enginetest.Engine(t)
	const times = 20
	var longest time.Duration
	for i := range times {
		is := is.New(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		is.NoErr(cmd.Start())
		line := make([]byte, 200)
		n, _ := out.Read(line)
		name := strings.TrimSpace(string(line[:n]))
		if !strings.HasPrefix(name, "drydock-") {
			t.Fatalf("run %d: %s", i, name)
		}
		is.Equal(enginetest.Containers(t, cli, name), 1)
		start := time.Now()
		is.NoErr(cmd.Process.Kill())
		_ = cmd.Wait()
		is.NoErr(waitFor(func() bool { return enginetest.Containers(t, cli, name) == 0 }))
		took := time.Since(start)
		longest = max(longest, took)
		if took > time.Second {
			t.Errorf("run %d: the container was gone after %v, want 1 s", i, took)
		}
	}
	t.Logf("%d of %d gone, the slowest after %v (looking costs about 50 ms)", times, times, longest)
}

func TestOpenRefused(t *testing.T) {
	e, cli := enginetest.Engine(t)
	name := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	socket := "/var/run/docker.sock"
	dir := t.TempDir()
	unbuilt, err := drydock.Presets().With(drydock.Runtime{Name: "unbuilt", BaseImage: enginetest.Busybox, SetupCommands: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		opts sandbox.Options
		text string
		err  error
	}{
		{"unknown runtime", sandbox.Options{Runtime: "python-datasience"}, `did you mean "python-datascience"`, drydock.ErrUnknownRuntime},
		{"both", sandbox.Options{Runtime: "go", Image: "x"}, "more than one of Runtime, Image and Snapshot are set: give one of them", nil},
		{"offline", sandbox.Options{Runtime: "unbuilt", Images: &image.Builder{Catalog: unbuilt, Offline: true}}, "runtime unbuilt is not built on this engine: open it once without Offline", sandbox.ErrOffline},
		{"no registry", sandbox.Options{Image: "localhost:1/no/such:image"}, "localhost:1/no/such:image is not on this engine and could not be pulled", sandbox.ErrNoImage},
		{"image with a dash", sandbox.Options{Image: "-x"}, "-x", nil},
		{"name with a dash", sandbox.Options{Image: enginetest.Busybox, Name: "-x"}, `container name "-x": write letters`, nil},
		{"relative work dir", sandbox.Options{Image: enginetest.Busybox, WorkDir: "work"}, `work dir "work": write an absolute path`, nil},
		{"work dir /", sandbox.Options{Image: enginetest.Busybox, WorkDir: "/"}, `work dir "/"`, nil},
		{"work dir of the system", sandbox.Options{Image: enginetest.Busybox, WorkDir: "/etc/x"}, "belongs to the system", nil},
		{"work dir with dots", sandbox.Options{Image: enginetest.Busybox, WorkDir: "/a/../etc"}, "without '..'", nil},
		{"user", sandbox.Options{Image: enginetest.Busybox, User: "-1"}, `user "-1": write uid, uid:gid or a user name`, nil},
		{"user that the image does not know", sandbox.Options{Image: enginetest.Busybox, User: "nobody-here"}, "nobody-here", nil},
		{"memory", sandbox.Options{Image: enginetest.Busybox, Memory: -1}, "memory of -1 bytes: give at least", nil},
		{"cpus", sandbox.Options{Image: enginetest.Busybox, CPUs: -1}, "cpus -1: give at least 0.01", nil},
		{"pids", sandbox.Options{Image: enginetest.Busybox, PIDs: -1}, "pids limit of -1: give at least", nil},
		{"environment", sandbox.Options{Image: enginetest.Busybox, Env: map[string]string{"A=B": ""}}, `environment variable "A=B"`, nil},
		{"missing mount", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: dir + "/none", Target: "/m"}}}, "make the directory first", fs.ErrNotExist},
		{"mount of /", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "/", Target: "/m"}}}, "is refused", nil},
		{"mount of /etc", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "/etc/ssl", Target: "/m"}}}, "a system directory", nil},
		{"mount over /etc", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: dir, Target: "/etc"}}}, "belongs to the system", nil},
		{"relative mount", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "./x", Target: "/m"}}}, "is not an absolute path", nil},
		{"mount twice", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: dir, Target: "/m"}, {Source: dir, Target: "/m"}}}, "two mounts at /m", nil},
		{"volume with a dash", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "-v", Target: "/m"}}}, "the name of a volume", nil},
		{"network of the host", sandbox.Options{Image: enginetest.Busybox, Network: "host"}, `network "host" is refused`, nil},
		{"network of a container", sandbox.Options{Image: enginetest.Busybox, Network: "container:x"}, "is refused", nil},
		{"network with a dash", sandbox.Options{Image: enginetest.Busybox, Network: "-x"}, `network "-x": write none, bridge`, nil},
		{"network that is not there", sandbox.Options{Image: enginetest.Busybox, Network: "drydock-none"}, "drydock-none", nil},
		{"OCI runtime", sandbox.Options{Image: enginetest.Busybox, OCIRuntime: "no-such-runtime"}, "no-such-runtime", nil},
		{"ulimit", sandbox.Options{Image: enginetest.Busybox, Ulimits: map[string]engine.Ulimit{"nofile": {Soft: 9, Hard: 1}}}, "soft must not exceed hard", nil},
		{"ulimit core", sandbox.Options{Image: enginetest.Busybox, Ulimits: map[string]engine.Ulimit{"core": {}}}, "core files are always off", nil},
		{"tmpfs", sandbox.Options{Image: enginetest.Busybox, Tmpfs: map[string]int64{"/etc": 4096}}, "belongs to the system", nil},
		{"tmpfs size", sandbox.Options{Image: enginetest.Busybox, Tmpfs: map[string]int64{"/x": -1}}, "give at least 4096", nil},
		{"start timeout", sandbox.Options{Image: enginetest.Busybox, StartTimeout: time.Millisecond}, "the sandbox did not start within 1ms", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			test.opts.Engine = e
			test.opts.Name = cmp.Or(test.opts.Name, name)
			_, err := sandbox.Open(context.Background(), &test.opts)
			is.True(err != nil)
			t.Log(err)
			is.True(strings.Contains(err.Error(), test.text))
			is.True(strings.HasPrefix(err.Error(), "open: "))
			if test.err != nil {
				is.True(errors.Is(err, test.err))
			}
		})
	}
	t.Run("the engine's socket", func(t *testing.T) {
		is := is.New(t)
		if _, err := os.Stat(socket); err != nil {
			// podman has none running: any socket is refused alike.
			socket = dir + "/socket"
			l, err := net.Listen("unix", socket)
			is.NoErr(err)
			defer l.Close()
		}
		link := dir + "/innocent"
		is.NoErr(os.Symlink(socket, link))
		for _, source := range []string{socket, link} {
			_, err := sandbox.Open(context.Background(), &sandbox.Options{Engine: e, Image: enginetest.Busybox,
				Mounts: []sandbox.Mount{{Source: source, Target: "/s"}}})
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), "only directories and regular files can be mounted"))
		}
	})
	if n := enginetest.Containers(t, cli, name); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestEngineUnusable(t *testing.T) {
	for _, test := range []struct {
		name   string
		client *dockercli.Client
		err    error
		text   string
	}{
		{"not installed", &dockercli.Client{Path: "/nonexistent/docker"}, dockercli.ErrNotInstalled, "nstall"},
		{"not reachable", &dockercli.Client{Host: "unix://" + t.TempDir() + "/none.sock"}, dockercli.ErrUnreachable, "tart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			enginetest.Engine(t)
			_, err := sandbox.Open(context.Background(), &sandbox.Options{Image: enginetest.Busybox, Engine: engine.Docker(test.client)})
			is.True(errors.Is(err, test.err))
			is.True(errors.Is(err, sandbox.ErrEngine))
			is.True(strings.Contains(err.Error(), test.text))
			t.Log(err)
		})
	}
}

// A context that ends while Open is under way leaves nothing, whatever the stage.
func TestOpenCanceled(t *testing.T) {
	e, cli := enginetest.Engine(t)
	name := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	opened := 0
	for delay := time.Duration(0); delay < 400*time.Millisecond; delay += 20 * time.Millisecond {
		is := is.New(t)
		why := errors.New("changed my mind")
		ctx, cancel := context.WithCancelCause(context.Background())
		stop := time.AfterFunc(delay, func() { cancel(why) })
		sb, err := sandbox.Open(ctx, &sandbox.Options{Image: enginetest.Busybox, Engine: e, Name: name})
		if err == nil {
			opened++
			is.NoErr(sb.Close())
		} else {
			is.True(errors.Is(err, why))
		}
		stop.Stop()
		cancel(nil)
		is.Equal(enginetest.Containers(t, cli, name), 0)
	}
	t.Logf("%d of 20 were open before the context ended", opened)
}

func TestBuild(t *testing.T) {
	e, cli := enginetest.Engine(t)
	// A runtime nobody has built: the text of a setup command is part of its definition.
	unique := fmt.Sprint("echo ", time.Now().UnixNano(), " > /made-by-setup")
	catalog, err := drydock.Presets().With(
		drydock.Runtime{Name: "test-build", BaseImage: enginetest.Busybox, SetupCommands: []string{unique, "echo a\necho \"$B\" >> /made-by-setup"},
			Env: map[string]string{"B": `two "words" $HOME \ #`}, WorkDir: "/data"},
		drydock.Runtime{Name: "test-broken", BaseImage: enginetest.Busybox, SetupCommands: []string{"echo before; echo the reason >&2; exit 9"}},
		drydock.Runtime{Name: "test-no-manager", BaseImage: enginetest.Busybox, Packages: drydock.Packages{drydock.Apt: {"no-such-package"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("once for many", func(t *testing.T) {
		is := is.New(t)
		var mu sync.Mutex
		var steps []image.Progress
		var wg sync.WaitGroup
		boxes := make([]*sandbox.Sandbox, 4)
		for i := range boxes {
			wg.Go(func() {
				boxes[i], _ = sandbox.Open(context.Background(), &sandbox.Options{Runtime: "test-build", Images: &image.Builder{Engine: e, Catalog: catalog,
					Progress: func(p image.Progress) {
						mu.Lock()
						defer mu.Unlock()
						steps = append(steps, p)
					}}})
			})
		}
		wg.Wait()
		for _, sb := range boxes {
			is.True(sb != nil)
			defer sb.Close()
		}
		t.Cleanup(func() { exec.Command(cli, "rmi", boxes[0].Image()).Run() })
		done, last := 0, image.Progress{}
		for _, p := range steps {
			if p.Done {
				done++
			}
			last = p
		}
		is.Equal(done, 1) // one build
		is.NoErr(last.Err)
		is.Equal(last.Image, "runtime test-build")
		is.True(last.Steps > 5 && last.Step == last.Steps)
		r, err := boxes[0].Exec(context.Background(), `pwd; tail -n1 /made-by-setup; echo "$B"`)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "/data\ntwo \"words\" $HOME \\ #\ntwo \"words\" $HOME \\ #\n")
	})
	for _, test := range []struct{ runtime, text string }{
		{"test-broken", "the reason"},
		{"test-no-manager", "apt-get"},
	} {
		t.Run(test.runtime, func(t *testing.T) {
			is := is.New(t)
			var last image.Progress
			_, err := sandbox.Open(context.Background(), &sandbox.Options{Runtime: test.runtime, Images: &image.Builder{Engine: e, Catalog: catalog,
				Progress: func(p image.Progress) { last = p }}})
			is.True(errors.Is(err, dockercli.ErrBuild))
			is.True(strings.Contains(err.Error(), test.text)) // the failing step's last lines
			is.True(last.Done && last.Err != nil)
			t.Log(err)
		})
	}
	t.Run("canceled", func(t *testing.T) {
		is := is.New(t)
		why := errors.New("no longer")
		slow, err := catalog.With(drydock.Runtime{Name: "test-slow", BaseImage: enginetest.Busybox, SetupCommands: []string{unique, "sleep 30"}})
		is.NoErr(err)
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		start := time.Now()
		_, err = sandbox.Open(ctx, &sandbox.Options{Runtime: "test-slow", Images: &image.Builder{Engine: e, Catalog: slow, Progress: func(p image.Progress) {
			if strings.Contains(p.Text, "sleep 30") {
				cancel(why)
			}
		}}})
		is.True(errors.Is(err, why))
		is.True(time.Since(start) < 20*time.Second)
	})
}

func TestMounts(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	work, data := t.TempDir(), t.TempDir()
	is.NoErr(os.WriteFile(data+"/in", []byte("from the host"), 0o644))
	is.NoErr(os.Chmod(data, 0o755))
	volume := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	t.Cleanup(func() { exec.Command(cli, "volume", "rm", "--force", volume).Run() })
	sb := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{
		{Source: work, Target: "/workspace"},
		{Source: data, Target: "/data", ReadOnly: true},
		{Source: volume, Target: "/keep"},
	}})
	ctx := context.Background()
	r, err := sb.Exec(ctx, "cat /data/in; echo x > out; touch /data/no; mount | grep -c ' /keep '")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "from the host1\n")
	is.True(strings.Contains(string(r.Stderr), "Read-only file system"))
	b, err := os.ReadFile(work + "/out")
	is.NoErr(err)
	is.Equal(string(b), "x\n")

	// A volume is its user's from the start, and says whose it is.
	r, err = sb.Exec(ctx, "echo kept > /keep/f && stat -c %u /keep")
	is.NoErr(err)
	who, _ := sb.User()
	is.Equal(string(r.Stdout), fmt.Sprintln(who))
	alone := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{{Source: volume, Target: "/workspace"}}})
	r, err = alone.Exec(ctx, "cat f; echo more >> f; id -u")
	is.NoErr(err)
	is.Equal(string(r.Stdout), fmt.Sprint("kept\n", who, "\n"))
	readonly := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{{Source: volume, Target: "/v", ReadOnly: true}}})
	r, err = readonly.Exec(ctx, "cat /v/f; touch /v/g")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "kept\nmore\n")
	is.True(strings.Contains(string(r.Stderr), "Read-only file system"))

	// The work dir's owner is the record of who runs there, also the next time.
	uid, _ := sb.User()
	is.NoErr(sb.Close())
	is.NoErr(alone.Close())
	again := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{{Source: work, Target: "/workspace"}}})
	next, _ := again.User()
	is.Equal(next, uid)
	_, err = again.WriteFile(ctx, "out", []byte("y"), nil)
	is.NoErr(err)
}

// Nobody reads what it wrote, and still its end is told; the sandbox goes on.
func TestEndedUnread(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	gate := make(chan struct{})
	cmd := sb.Command("sh", "-c", "head -c 10000000 /dev/zero")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) { <-gate; return len(p), nil })
	cmd.Timeout, cmd.Grace = 200*time.Millisecond, 100*time.Millisecond
	is.NoErr(cmd.Start(context.Background()))
	time.Sleep(4 * time.Second) // a reader that sleeps for longer than all the graces
	close(gate)
	r, err := cmd.Wait()
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.TimedOut)
	is.True(r.Unread)
	_, err = sb.Exec(context.Background(), "true")
	is.NoErr(err)

	is.True(errors.Is(sb.RemoveAll(context.Background(), ""), fs.ErrInvalid))
}

// The same where the command has ended by itself and only its output waits.
func TestEndedUnreadAfterExit(t *testing.T) {
	for name, set := range map[string]func(*sandbox.Command, context.CancelFunc){
		"timeout": func(c *sandbox.Command, _ context.CancelFunc) { c.Timeout = time.Second },
		"cancel":  func(_ *sandbox.Command, cancel context.CancelFunc) { time.AfterFunc(time.Second, cancel) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			sb := enginetest.Open(t, sandbox.Options{})
			gate := make(chan struct{})
			// More than the window, and so little more that the pipe takes the rest.
			cmd := sb.Command("head", "-c", "950000", "/dev/zero")
			cmd.Stdout = writerFunc(func(p []byte) (int, error) { <-gate; return len(p), nil })
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			set(cmd, cancel)
			is.NoErr(cmd.Start(ctx))
			time.Sleep(16 * time.Second) // beyond the time after which a guest is given up
			is.True(sb.Alive())
			close(gate)
			r, _ := cmd.Wait()
			is.True(r.Unread)
			_, err := sb.Exec(context.Background(), "true")
			is.NoErr(err)
		})
	}
}

func TestLimitsAtTheirEnds(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Memory: 64 << 20})
	ctx := context.Background()
	cmd := sb.Command("sleep", "0.2")
	cmd.Timeout, cmd.Grace = math.MaxInt64, math.MaxInt64
	r, err := cmd.Run(ctx)
	is.NoErr(err)
	is.True(r.OK())

	// Full file systems are errors of the writes, and the sandbox lives.
	block, full := bytes.Repeat([]byte("x"), 1<<20), 0
	for _, dir := range []string{".", "/home/sandbox", "/tmp"} {
		for i := range 64 {
			_, err := sb.WriteFile(ctx, fmt.Sprintf("%s/f%d", dir, i), block, nil)
			var e *sandbox.Error
			if errors.As(err, &e) {
				is.Equal(e.Code, sandbox.CodeNoSpace)
				full++
				break
			}
		}
	}
	is.Equal(full, 3)
	_, err = sb.Exec(ctx, "true")
	is.NoErr(err)
}

// A name that is taken is refused, and whoever has it is left alone.
func TestNameTaken(t *testing.T) {
	e, cli := enginetest.Engine(t)
	name := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	first := enginetest.Open(t, sandbox.Options{Name: name})
	for _, lease := range []time.Duration{0, time.Minute} {
		is := is.New(t)
		_, err := sandbox.Open(context.Background(), &sandbox.Options{Engine: e, Image: enginetest.Busybox, Name: name, Lease: lease})
		is.True(errors.Is(err, dockercli.ErrNameInUse))
		_, err = first.Exec(context.Background(), "true")
		is.NoErr(err)
		is.Equal(enginetest.Containers(t, cli, name), 1)
	}
}
