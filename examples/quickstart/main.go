// Quickstart analyses a data set in a sandbox: it writes a Python program into the sandbox,
// runs it with its output on the terminal, and fetches the figure that the program drew.
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
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
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
	cli := flag.String("engine", "docker", "docker, podman, or the path of such a command line")
	timeout := flag.Duration("timeout", time.Minute, "how long the program may run")
	asTools := flag.Bool("tools", false, "do it through tool calls, as an agent would; they follow a script")
	out := flag.String("o", filepath.Join("out", "iris.png"), "`FILE` to write the figure to")
	flag.Parse()

	// The first Ctrl-C ends the program, the sandbox and then this process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{
		Engine:   engine.Docker(&dockercli.Client{Path: *cli}),
		Progress: printSteps(os.Stderr),
	}
	job := analyse
	if *asTools {
		job = throughTools
	}
	err := run(ctx, images, files, *out, func(ctx context.Context, sb *sandbox.Sandbox) ([]byte, error) {
		return job(ctx, sb, *timeout)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, images *image.Builder, files []string, out string,
	job func(context.Context, *sandbox.Sandbox) ([]byte, error)) (err error) {
	if len(files) > 0 {
		if images.Catalog, err = drydock.Load(files...); err != nil {
			return err
		}
	}
	begin := time.Now()
	sb, err := sandbox.Open(ctx, &sandbox.Options{Runtime: "python-datascience", Images: images})
	if err != nil {
		return err
	}
	defer sb.Close() // ends all that runs in it and removes the container
	opened := time.Since(begin)

	begin = time.Now()
	figure, err := job(ctx, sb)
	if err != nil {
		return err
	}
	ran := time.Since(begin)
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

// analyse runs the program with its output on the terminal, and returns the figure.
func analyse(ctx context.Context, sb *sandbox.Sandbox, timeout time.Duration) ([]byte, error) {
	if _, err := sb.WriteFile(ctx, "analyse.py", program, nil); err != nil {
		return nil, err
	}
	python := sb.Command("python3", "analyse.py")
	python.Stdout, python.Stderr = os.Stdout, os.Stderr
	python.Timeout = timeout
	result, err := python.Run(ctx)
	if err != nil {
		return nil, err
	}
	if !result.OK() {
		return nil, fmt.Errorf("analyse.py: %s, exit code %d, after %v", result.Outcome, result.ExitCode, result.Duration.Round(time.Millisecond))
	}
	return sb.ReadFile(ctx, "iris.png", nil)
}
