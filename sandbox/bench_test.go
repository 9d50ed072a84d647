package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
	"github.com/drydock-go/drydock/tools"
)

// The benchmarks time Drydock and the plain command line in turn, in one run on one
// machine, and report the median of each, because ratios hold where a machine's speed
// does not:
//
//	DRYDOCK_TEST_ENGINE=docker go test -run '^$' -bench . ./sandbox

func benchOpen(b *testing.B) (sb *sandbox.Sandbox, cli string) {
	e, cli := enginetest.Engine(b)
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{Image: enginetest.Busybox, Engine: e})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sb.Close() })
	return sb, cli
}

// rival is one way of doing the same thing.
type rival struct {
	name  string
	every int // timed in one of so many rounds, because it is slow
	do    func() error
	after func() // not timed
	took  []time.Duration
}

func (r *rival) tidy() {
	if r.after != nil {
		r.after()
	}
}

// compare times all of them in turn, b.N rounds, and reports medians in milliseconds and
// how many times slower than the first the others are.
func compare(b *testing.B, rivals ...*rival) {
	for _, r := range rivals {
		if err := r.do(); err != nil { // warm-up
			b.Fatal(r.name, err)
		}
		r.tidy()
	}
	for i := 0; b.Loop(); i++ {
		for _, r := range rivals {
			if i%max(r.every, 1) != 0 {
				continue
			}
			start := time.Now()
			if err := r.do(); err != nil {
				b.Fatal(r.name, err)
			}
			r.took = append(r.took, time.Since(start))
			r.tidy()
		}
	}
	median := func(r *rival) float64 {
		slices.Sort(r.took)
		return float64(r.took[len(r.took)/2].Microseconds()) / 1000
	}
	b.ReportMetric(0, "ns/op") // the sum over the rivals says nothing
	for _, r := range rivals {
		b.ReportMetric(median(r), r.name+"-p50-ms")
	}
	for _, r := range rivals[1:] {
		b.ReportMetric(median(r)/median(rivals[0]), r.name+"/"+rivals[0].name)
	}
}

func BenchmarkExec(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.Exec(ctx, "true"); return err }},
		&rival{name: "host-sh", do: func() error { return exec.Command("sh", "-c", "true").Run() }},
		&rival{name: "engine-exec", every: 20, do: func() error {
			return exec.Command(cli, "exec", sb.Name(), "sh", "-c", "true").Run()
		}},
	)
}

func BenchmarkReadFile(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	data := bytes.Repeat([]byte("x"), 1000)
	if _, err := sb.WriteFile(ctx, "small", data, nil); err != nil {
		b.Fatal(err)
	}
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.ReadFile(ctx, "small", nil); return err }},
		&rival{name: "engine-exec", every: 50, do: func() error {
			return exec.Command(cli, "exec", sb.Name(), "cat", "small").Run()
		}},
	)
}

func BenchmarkWriteFile(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	data := bytes.Repeat([]byte("x"), 1000)
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.WriteFile(ctx, "small", data, nil); return err }},
		&rival{name: "engine-exec", every: 50, do: func() error {
			cmd := exec.Command(cli, "exec", "-i", sb.Name(), "sh", "-c", "cat > small")
			cmd.Stdin = bytes.NewReader(data)
			return cmd.Run()
		}},
	)
}

// BenchmarkMany runs 500 commands at once. The second figure is the processes' own part: the
// same number of them started by a shell inside.
func BenchmarkEdit(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	text := append(bytes.Repeat([]byte("another line of text\n"), 500), "old\n"...)
	write := func() {
		if _, err := sb.WriteFile(ctx, "edited", text, nil); err != nil {
			b.Fatal(err)
		}
	}
	write()
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.Edit(ctx, "edited", "old\n", "new\n", nil); return err }, after: write},
		&rival{name: "engine-exec", every: 50, do: func() error {
			return exec.Command(cli, "exec", sb.Name(), "sed", "-i", "s/^old$/new/", "edited").Run()
		}, after: write},
	)
}

func BenchmarkStats(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.Stats(ctx); return err }},
		&rival{name: "engine-stats", every: 500, do: func() error {
			return exec.Command(cli, "stats", "--no-stream", sb.Name()).Run()
		}},
	)
}

func BenchmarkMany(b *testing.B) {
	sb, _ := benchOpen(b)
	ctx := context.Background()
	compare(b,
		&rival{name: "drydock-500", do: func() error {
			var all errgroup
			for range 500 {
				all.Go(func() error {
					r, err := sb.Exec(ctx, "true")
					if err == nil && !r.OK() {
						err = fmt.Errorf("%+v", *r)
					}
					return err
				})
			}
			return all.Wait()
		}},
		&rival{name: "one-shell-500", do: func() error {
			_, err := sb.Exec(ctx, "i=0; while [ $i -lt 500 ]; do sh -c true & i=$((i+1)); done; wait")
			return err
		}},
	)
}

// errgroup is a sync.WaitGroup that keeps an error.
type errgroup struct {
	sync.WaitGroup
	mu  sync.Mutex
	err error
}

func (g *errgroup) Go(f func() error) {
	g.WaitGroup.Go(func() {
		if err := f(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.err = err
		}
	})
}

func (g *errgroup) Wait() error {
	g.WaitGroup.Wait()
	return g.err
}

// counter counts and drops bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// BenchmarkStdout moves 1 GiB of random bytes, and reports the largest size of this
// process meanwhile.
func BenchmarkStdout(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	const size, times = 64 << 20, 16
	if _, err := sb.Exec(ctx, fmt.Sprintf("head -c %d /dev/urandom > random", size)); err != nil {
		b.Fatal(err)
	}
	args := append([]string{"cat"}, slices.Repeat([]string{"random"}, times)...)
	check := func(out *counter, err error) error {
		if err == nil && out.n != size*times {
			err = fmt.Errorf("%d bytes, want %d", out.n, size*times)
		}
		return err
	}
	var peak int64
	compare(b,
		&rival{name: "drydock", do: func() error {
			// Forget the peak until now: proc(5).
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				return err
			}
			out := &counter{}
			cmd := sb.Command(args[0], args[1:]...)
			cmd.Stdout = out
			_, err := cmd.Run(ctx)
			peak = max(peak, ownPeak(b))
			return check(out, err)
		}},
		&rival{name: "engine-exec", do: func() error {
			out := &counter{}
			cmd := exec.Command(cli, append([]string{"exec", sb.Name()}, args...)...)
			cmd.Stdout = out
			return check(out, cmd.Run())
		}},
	)
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// ownPeak is the largest resident size of this process in bytes.
func ownPeak(b *testing.B) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// BenchmarkInterpreter runs a line of code in an interpreter that is there already, and in
// one that is started for it.
func BenchmarkInterpreter(b *testing.B) {
	e, _ := enginetest.Engine(b)
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, &sandbox.Options{Runtime: python.Runtime, Engine: e})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sb.Close() })
	in, err := sb.Interpreter(ctx, sandbox.Python, nil)
	if err != nil {
		b.Fatal(err)
	}
	compare(b,
		&rival{name: "interpreter", do: func() error { _, err := in.Run(ctx, "6*7", nil); return err }},
		&rival{name: "python3-c", every: 10, do: func() error { _, err := sb.Command("python3", "-c", "print(6*7)").Run(ctx); return err }},
	)
}

// BenchmarkOpen compares a sandbox and its first command with a bare run of the same
// image under the same flags.
func BenchmarkOpen(b *testing.B) {
	ctx := context.Background()
	e, cli := enginetest.Engine(b)
	bare := bareRun(b, cli)
	var sb *sandbox.Sandbox
	compare(b,
		&rival{name: "drydock", after: func() { sb.Close() }, do: func() (err error) {
			if sb, err = sandbox.Open(ctx, &sandbox.Options{Image: enginetest.Busybox, Engine: e}); err == nil {
				_, err = sb.Exec(ctx, "true")
			}
			return err
		}},
		&rival{name: "bare-run", do: func() error { return exec.Command(cli, bare...).Run() }},
	)
}

// bareRun returns the arguments that a sandbox's container is started with, but with
// /bin/true in place of the guest.
func bareRun(b *testing.B, cli string) (args []string) {
	path, err := exec.LookPath(cli)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	log, wrapper := filepath.Join(dir, "log"), filepath.Join(dir, filepath.Base(cli))
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != run ] || printf '%%s\\n' \"$@\" > %s\nexec %s \"$@\"\n", log, path)
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		b.Fatal(err)
	}
	sb, err := sandbox.Open(b.Context(), &sandbox.Options{Image: enginetest.Busybox, Engine: engine.Docker(&dockercli.Client{Path: wrapper})})
	if err != nil {
		b.Fatal(err)
	}
	defer sb.Close()
	text, err := os.ReadFile(log)
	if err != nil {
		b.Fatal(err)
	}
	for arg := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		switch {
		case strings.HasPrefix(arg, "--name=") || arg == "init":
		case strings.HasPrefix(arg, "--entrypoint="):
			args = append(args, "--entrypoint=/bin/true")
		default:
			args = append(args, arg)
		}
	}
	return args
}

// BenchmarkTools compares an agent's tool calls with what scripts around the command line
// do for the same.
func BenchmarkTools(b *testing.B) {
	sb, cli := benchOpen(b)
	ctx := context.Background()
	set, err := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	if err != nil {
		b.Fatal(err)
	}
	call := func(name, args string) func() error {
		return func() error {
			result, err := set.Call(ctx, name, json.RawMessage(args))
			if err == nil && result.IsError {
				err = errors.New(result.Text)
			}
			return err
		}
	}
	script := func(command string) func() error {
		return func() error { return exec.Command(cli, "exec", sb.Name(), "sh", "-c", command).Run() }
	}
	if _, err := sb.Exec(ctx, "for i in $(seq 200); do seq 1 100 > f$i; done; echo red > color"); err != nil {
		b.Fatal(err)
	}
	red := true
	for _, tool := range []struct {
		name     string
		do, exec func() error
	}{
		{"read_file", call("read_file", `{"path": "f1"}`), script("cat -n f1")},
		{"edit_file", func() error {
			if red = !red; red {
				return call("edit_file", `{"path": "color", "old_string": "blue", "new_string": "red"}`)()
			}
			return call("edit_file", `{"path": "color", "old_string": "red", "new_string": "blue"}`)()
		}, script("sed -i s/x/y/ color2 2>/dev/null || cp color color2")},
		{"grep", call("grep", `{"pattern": "^99$"}`), script("grep -rn '^99$' .")},
		{"execute", call("execute", `{"command": "true"}`), script("true")},
	} {
		b.Run(tool.name, func(b *testing.B) {
			if tool.name == "edit_file" {
				if err := call("read_file", `{"path": "color"}`)(); err != nil {
					b.Fatal(err)
				}
			}
			compare(b, &rival{name: "drydock", do: tool.do}, &rival{name: "engine-exec", every: 20, do: tool.exec})
		})
	}
}
