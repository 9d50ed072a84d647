// Quickstart analyses a data set in a sandbox: it writes a Python program into one, runs it
// with its output on the terminal, and fetches the figure that it drew.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
)

//go:embed analyse.py
var program []byte

func main() {
	var files []string
	flag.Func("runtimes", "`FILE` of runtimes, in place of those that "+drydock.EnvFiles+" names; may be repeated",
		func(list string) error {
			files = append(files, filepath.SplitList(list)...)
			return nil
		})
	engine := flag.String("engine", "docker", "docker, podman, or the path of such a command line")
	timeout := flag.Duration("timeout", time.Minute, "how long the program may run")
	out := flag.String("o", filepath.Join("out", "iris.png"), "`FILE` to write the figure to")
	flag.Parse()

	// The first Ctrl-C ends the program, the sandbox and then this process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	display := newDisplay(os.Stderr)
	opts := &sandbox.Options{
		Runtime:  "python-datascience",
		Engine:   sandbox.Docker(&dockercli.Client{Path: *engine}),
		Progress: display.show,
	}
	err := run(ctx, opts, files, *timeout, *out)
	display.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, opts *sandbox.Options, files []string, timeout time.Duration, out string) (err error) {
	if len(files) > 0 {
		if opts.Catalog, err = drydock.Load(files...); err != nil {
			return err
		}
	}
	begin := time.Now()
	sb, err := sandbox.Open(ctx, opts)
	if err != nil {
		return err
	}
	defer sb.Close() // ends all that runs in it and removes the container
	opened := time.Since(begin)

	if _, err := sb.WriteFile(ctx, "analyse.py", program, nil); err != nil {
		return err
	}
	python := sb.Command("python3", "analyse.py")
	python.Stdout, python.Stderr = os.Stdout, os.Stderr
	python.Timeout = timeout
	begin = time.Now()
	result, err := python.Run(ctx)
	if err != nil {
		return err
	}
	if !result.OK() {
		return fmt.Errorf("analyse.py: %s, exit code %d, after %v", result.Outcome, result.ExitCode, result.Duration.Round(time.Millisecond))
	}
	ran := time.Since(begin)

	figure, err := sb.ReadFile(ctx, "iris.png", nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(out, figure, 0o644); err != nil {
		return err
	}
	fmt.Printf("\n%s: %d bytes\n", out, len(figure))
	fmt.Printf("sandbox opened in %v, program ran in %v\n", opened.Round(time.Millisecond), ran.Round(time.Millisecond))
	if s := sb.StandIn(); s != "" {
		fmt.Println("ran on a stand-in:", s)
	}
	return nil
}
