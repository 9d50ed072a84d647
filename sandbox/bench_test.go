package sandbox

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
)

// The benchmarks time Drydock and the plain command line in turn, in one run on one
// machine, and report the median of each, because ratios hold where a machine's speed
// does not:
//
//	DRYDOCK_TEST_ENGINE=docker go test -run '^$' -bench . ./sandbox

func benchClient(b *testing.B) *dockercli.Client {
	path := os.Getenv("DRYDOCK_TEST_ENGINE")
	if path == "" {
		b.Skip("DRYDOCK_TEST_ENGINE names no engine")
	}
	return &dockercli.Client{Path: path}
}

func benchOpen(b *testing.B, c *dockercli.Client) *Sandbox {
	sb, err := Open(context.Background(), &Options{Image: "localhost/drydock/busybox:1", Engine: Docker(c)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sb.Close() })
	return sb
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
	c := benchClient(b)
	sb := benchOpen(b, c)
	ctx := context.Background()
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.Exec(ctx, "true"); return err }},
		&rival{name: "host-sh", do: func() error { return exec.Command("sh", "-c", "true").Run() }},
		&rival{name: "engine-exec", every: 20, do: func() error {
			return exec.Command(c.Path, "exec", sb.Name(), "sh", "-c", "true").Run()
		}},
	)
}

func BenchmarkReadFile(b *testing.B) {
	c := benchClient(b)
	sb := benchOpen(b, c)
	ctx := context.Background()
	data := bytes.Repeat([]byte("x"), 1000)
	if _, err := sb.WriteFile(ctx, "small", data, nil); err != nil {
		b.Fatal(err)
	}
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.ReadFile(ctx, "small", nil); return err }},
		&rival{name: "engine-exec", every: 50, do: func() error {
			return exec.Command(c.Path, "exec", sb.Name(), "cat", "small").Run()
		}},
	)
}

func BenchmarkWriteFile(b *testing.B) {
	c := benchClient(b)
	sb := benchOpen(b, c)
	ctx := context.Background()
	data := bytes.Repeat([]byte("x"), 1000)
	compare(b,
		&rival{name: "drydock", do: func() error { _, err := sb.WriteFile(ctx, "small", data, nil); return err }},
		&rival{name: "engine-exec", every: 50, do: func() error {
			cmd := exec.Command(c.Path, "exec", "-i", sb.Name(), "sh", "-c", "cat > small")
			cmd.Stdin = bytes.NewReader(data)
			return cmd.Run()
		}},
	)
}

// BenchmarkOpen compares a sandbox and its first command with a bare run of the same
// image under the same flags.
func BenchmarkOpen(b *testing.B) {
	c := benchClient(b)
	ctx := context.Background()
	first := benchOpen(b, c)
	info, err := c.Info(ctx)
	if err != nil {
		b.Fatal(err)
	}
	var sb *Sandbox
	compare(b,
		&rival{name: "drydock", after: func() { sb.Close() }, do: func() (err error) {
			if sb, err = Open(ctx, &Options{Image: "localhost/drydock/busybox:1", Engine: first.c.Engine}); err == nil {
				_, err = sb.Exec(ctx, "true")
			}
			return err
		}},
		&rival{name: "bare-run", do: func() error {
			o := runOptions(first.spec, info.Engine)
			o.Name, o.Entrypoint = "", "/bin/true"
			_, err := c.Run(ctx, first.spec.Image, nil, o)
			return err
		}},
	)
}
