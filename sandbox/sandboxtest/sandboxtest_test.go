package sandboxtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
)

const busybox = "localhost/drydock/busybox:1"

// probe is a test that can fail or be skipped while the test that watches it goes on.
type probe struct {
	testing.TB
	name string

	mu       sync.Mutex
	log      strings.Builder
	failed   bool
	skipped  bool
	cleanups []func()
}

// run runs a test in the probe, with its cleanups.
func (p *probe) run(test func(t testing.TB)) {
	for _, f := range append([]func(){func() { test(p) }}, func() {
		for len(p.cleanups) > 0 {
			last := p.cleanups[len(p.cleanups)-1]
			p.cleanups = p.cleanups[:len(p.cleanups)-1]
			last()
		}
	}) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
}

func (p *probe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *probe) Helper()                   {}
func (p *probe) Name() string              { return p.name }
func (p *probe) Output() io.Writer         { return p }
func (p *probe) Cleanup(f func())          { p.cleanups = append(p.cleanups, f) }
func (p *probe) Failed() bool              { return p.failed }
func (p *probe) Logf(f string, a ...any)   { fmt.Fprintf(p, f+"\n", a...) }
func (p *probe) Error(a ...any)            { fmt.Fprintln(p, a...); p.failed = true }
func (p *probe) Fatal(a ...any)            { p.Error(a...); runtime.Goexit() }
func (p *probe) Fatalf(f string, a ...any) { p.Fatal(fmt.Sprintf(f, a...)) }
func (p *probe) Skip(a ...any)             { fmt.Fprintln(p, a...); p.skipped = true; runtime.Goexit() }

func TestWithoutEngine(t *testing.T) {
	nowhere := engine.Docker(&dockercli.Client{Path: "/nowhere/docker"})
	for _, test := range []struct {
		name, env     string
		require, fail bool
	}{
		{"skips", "", false, false},
		{"required", "", true, true},
		{"asked for", "docker", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			t.Setenv(EnvEngine, test.env)
			for _, f := range []func(t testing.TB){
				func(t testing.TB) { New(t, &Options{Options: sandbox.Options{Engine: nowhere}, Require: test.require}) },
				func(t testing.TB) {
					NewNetwork(t, &Options{Options: sandbox.Options{Engine: nowhere}, Require: test.require})
				},
				func(t testing.TB) {
					Run(t, "x", &ServiceOptions{Options: sandbox.Options{Engine: nowhere}, Require: test.require})
				},
			} {
				p := &probe{TB: t, name: t.Name()}
				p.run(f)
				is.Equal(p.failed, test.fail)
				is.Equal(p.skipped, !test.fail)
				is.True(strings.Contains(p.log.String(), "/nowhere/docker")) // the reason
			}
		})
	}
}

func TestNames(t *testing.T) {
	host := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	for name, want := range map[string]string{
		"TestX":                          "testx-",
		"TestX/sub_test#01":              "testx-sub-test-01-",
		"Test/../../\u00e9t\u00e9":       "test--------t-",
		"___":                            "test-",
		"Test" + strings.Repeat("a", 99): "test" + strings.Repeat("a", 36) + "-",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			p := &probe{TB: t, name: name}
			got := nameFor(p)
			is.True(strings.HasPrefix(got, want))
			is.True(host.MatchString(got)) // a host name
			is.True(nameFor(p) != got)     // random
		})
	}
}

func TestForPorts(t *testing.T) {
	is := is.New(t)
	is.Equal(fmt.Sprint(forPorts([]string{"53/udp", "80/tcp", "8080", "x/tcp"})), "[port 80 port 8080]")
}

// listed counts the objects of a kind, such as "container", whose names begin with a prefix.
func listed(is *is.I, kind, prefix string) int {
	is.Helper()
	args := []string{kind, "ls", "--quiet", "--filter", "name=^/?" + prefix}
	if kind == "container" {
		args = append(args, "--all")
	}
	out, err := exec.Command(os.Getenv(EnvEngine), args...).CombinedOutput()
	is.NoErr(err)
	return strings.Count(string(out), "\n")
}

func needEngine(t *testing.T) {
	t.Helper()
	if os.Getenv(EnvEngine) == "" {
		t.Skip(EnvEngine + " names no engine: run scripts/test")
	}
}

func TestFailureShowsTheLog(t *testing.T) {
	needEngine(t)
	is := is.New(t)
	p := &probe{TB: t, name: t.Name()}
	var name string
	p.run(func(t testing.TB) {
		sb := New(t, &Options{Options: sandbox.Options{Image: busybox}})
		name = sb.Name()
		job, err := sb.Command("sh", "-c", `printf 'first\n%20000s\nlast \033[2J\n' x; exit 3`).Background(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := job.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Fatal("on purpose")
	})
	log := p.log.String()
	is.True(strings.HasPrefix(name, "testfailureshowsthelog-"))
	is.True(strings.Contains(log, "sandbox opened"))
	is.True(strings.Contains(log, "exited with 3:\n"))
	is.True(strings.Contains(log, "bytes before]"))
	is.True(!strings.Contains(log, "first\n"))         // the last of it only
	is.True(strings.Contains(log, "last \ufffd[2J\n")) // which cannot steer a terminal
	is.Equal(listed(is, "container", name), 0)         // and nothing is left
	is.Equal(strings.Count(log, "on purpose"), 1)
}

// served returns the options of a service on busybox that runs a shell script.
func served(script string, wait ...Wait) *ServiceOptions {
	return &ServiceOptions{Args: []string{"sh", "-c", script}, Wait: wait, WaitTimeout: 20 * time.Second}
}

const server = `echo starting; sleep 0.2; mkdir /tmp/www; echo hello > /tmp/www/index.html; echo "ready on 8080"; exec httpd -f -p 8080 -h /tmp/www`

func TestWaits(t *testing.T) {
	needEngine(t)
	for _, w := range []Wait{
		ForPort(8080), ForLog(`^ready on \d+$`), ForHTTP(8080, "/", 200), ForHTTP(8080, "nothing", 404),
		ForCommand("wget", "-q", "-O", "/dev/null", "http://localhost:8080/"),
	} {
		t.Run(w.String(), func(t *testing.T) {
			is := is.New(t)
			s := Run(t, busybox, served(server, w))
			is.True(strings.Contains(s.Logs(), "starting\nready on 8080\n"))
			is.Equal(s.Addr(8080), s.Addr(8080)) // the same each time
		})
	}
}

// A service that is not ready in time fails its test, with the condition and the output.
func TestWaitsFail(t *testing.T) {
	needEngine(t)
	soon := func(o *ServiceOptions) *ServiceOptions {
		o.WaitTimeout = 300 * time.Millisecond
		return o
	}
	for _, test := range []struct {
		name string
		o    *ServiceOptions
		want []string
	}{
		{"port", soon(served("echo word; sleep 60", ForPort(81))), []string{"waiting for port 81", "not within 300ms", "word\n"}},
		{"log", soon(served("echo word; sleep 60", ForLog("never"))), []string{`a log line that matches "never"`, "not within 300ms"}},
		{"http", soon(served("sleep 60", ForHTTP(81, "/x", 200))), []string{"status 200 of http://localhost:81/x", "not within 300ms", "refused"}},
		{"http status", served(server, ForHTTP(8080, "/x", 200)), []string{"status 404"}},
		{"command", soon(served("sleep 60", ForCommand("sh", "-c", "echo why; exit 7"))), []string{"not within 300ms", "exited with 7", "why"}},
		{"no healthcheck", served("sleep 60", ForHealthcheck()), []string{"HEALTHCHECK", "has none"}},
		{"ends", served("echo cannot start; exit 3", ForPort(81)), []string{"waiting for port 81", "the service exited with 3", "cannot start\n"}},
		{"ends, log", served("echo cannot start; exit 3", ForLog("ready")), []string{"the service exited with 3"}},
		{"not there", &ServiceOptions{Args: []string{"nothing"}}, []string{"command not found"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			if test.name == "http status" {
				test.o.WaitTimeout = 2 * time.Second
			}
			p := &probe{TB: t, name: t.Name()}
			p.run(func(t testing.TB) { Run(t, busybox, test.o) })
			is.True(p.failed)
			for _, want := range test.want {
				if !strings.Contains(p.log.String(), want) {
					t.Errorf("no %q in\n%s", want, p.log.String())
				}
			}
		})
	}
}

// Run does not wait any longer once the service's container is gone.
func TestWaitsEndWithTheContainer(t *testing.T) {
	needEngine(t)
	is := is.New(t)
	p := &probe{TB: t, name: t.Name()}
	kill := Wait{"the end", func(ctx context.Context, s *Service) error {
		is.NoErr(exec.Command(os.Getenv(EnvEngine), "rm", "--force", s.Name()).Run())
		return ForCommand("false").until(ctx, s)
	}}
	start := time.Now()
	p.run(func(t testing.TB) { Run(t, busybox, served("sleep 60", kill)) })
	is.True(p.failed)
	is.True(time.Since(start) < 10*time.Second) // of 20
	is.True(strings.Contains(p.log.String(), "sandbox lost"))
}

// childVar is set in the process that TestKilled kills.
const childVar = "DRYDOCK_TEST_SERVICE_CHILD"

// What a killed test leaves ends by itself or is swept, and nothing of a living test is.
func TestKilled(t *testing.T) {
	needEngine(t)
	is := is.New(t)
	if os.Getenv(childVar) != "" {
		network := NewNetwork(t, nil)
		s := Run(t, busybox, &ServiceOptions{Options: sandbox.Options{Network: network},
			Args: []string{"sleep", "600"}})
		fmt.Println("NAMES", network, s.Name())
		time.Sleep(time.Minute)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), childVar+"=1")
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	var network, container string
	for lines := bufio.NewScanner(out); container == "" && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "NAMES %s %s", &network, &container)
	}
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	is.True(container != "")
	is.Equal(listed(is, "network", network), 1)
	for deadline := time.Now().Add(10 * time.Second); listed(is, "container", container) > 0; time.Sleep(50 * time.Millisecond) {
		is.True(time.Now().Before(deadline)) // it ends by itself
	}
	mine := NewNetwork(t, nil)
	removed, err := sandbox.Sweep(context.Background(), fromEnv())
	is.NoErr(err)
	is.True(strings.Contains(strings.Join(removed, " "), network))
	is.Equal(listed(is, "network", network), 0)
	is.Equal(listed(is, "network", mine), 1) // whose process lives
}
