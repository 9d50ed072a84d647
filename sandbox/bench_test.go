package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/tools"
)

// The benchmarks time Drydock and the plain command line in turn, in one run on one
// machine, and report the median of each, because ratios hold where a machine's speed
// does not:
//
//	DRYDOCK_TEST_ENGINE=docker go test -run '^$' -bench . ./sandbox

func benchOpen(b *testing.B) (sb *sandbox.Sandbox, cli string) {
	e, cli := engine(b)
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{Image: busybox, Engine: e})
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

// BenchmarkOpen compares a sandbox and its first command with a bare run of the same
// image under the same flags.
func BenchmarkOpen(b *testing.B) {
	ctx := context.Background()
	first, cli := benchOpen(b)
	c := &dockercli.Client{Path: cli}
	info, err := c.Info(ctx)
	if err != nil {
		b.Fatal(err)
	}
	var sb *sandbox.Sandbox
	compare(b,
		&rival{name: "drydock", after: func() { sb.Close() }, do: func() (err error) {
			if sb, err = sandbox.Open(ctx, &sandbox.Options{Image: busybox, Engine: engines(cli)}); err == nil {
				_, err = sb.Exec(ctx, "true")
			}
			return err
		}},
		&rival{name: "bare-run", do: func() error {
			o := sandbox.RunOptions(first, info.Engine)
			o.Name, o.Entrypoint = "", "/bin/true"
			_, err := c.Run(ctx, first.Image(), nil, o)
			return err
		}},
	)
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
