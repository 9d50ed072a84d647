// Prebuild builds the images of runtimes ahead of time, so that no sandbox has to wait for its
// build, and prints the result of each in a table. A deployment runs it once. With -o it also
// writes the images to a file, for hosts that read it with "drydock import" or "docker load".
//
//	go run ./examples/prebuild
//	go run ./examples/prebuild -only -runtimes lab.yaml
//	go run ./examples/prebuild -o images.tar python-minimal node-minimal
//
// It exits with 1 if a build failed; the other images are ready all the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
)

func main() {
	var files []string
	flag.Func("runtimes", "`FILE` of runtimes, in place of those that "+drydock.EnvFiles+" names; may be repeated",
		func(list string) error {
			files = append(files, filepath.SplitList(list)...)
			return nil
		})
	cli := flag.String("engine", "docker", "docker, podman, or the path of such a command line")
	only := flag.Bool("only", false, "leave out the runtimes that come with Drydock")
	out := flag.String("o", "", "`FILE` to write the images to")
	flag.Parse()

	// The first Ctrl-C ends the build under way and then this process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{
		Engine:   engine.Docker(&dockercli.Client{Path: *cli}),
		Progress: printSteps(os.Stderr),
	}
	if err := run(ctx, images, files, *only, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes the images of the named runtimes ready, or of all runtimes.
func run(ctx context.Context, images *image.Builder, files []string, only bool, out string, names []string) error {
	var err error
	if len(files) > 0 {
		images.Catalog, err = drydock.Load(files...)
	} else {
		images.Catalog, err = drydock.Default()
	}
	if err != nil {
		return err
	}
	if only && len(names) == 0 {
		if names = own(images.Catalog); len(names) == 0 {
			return errors.New("-only leaves no runtime: name a file that defines one with -runtimes")
		}
	}
	begin := time.Now()
	ready, err := images.Prebuild(ctx, names...)
	if len(ready) > 0 {
		summary(os.Stdout, ready, time.Since(begin))
	}
	if err != nil || out == "" {
		return err
	}
	return export(ctx, images, out, ready)
}

// own returns the names of the runtimes that are no presets, or differ from the preset of that
// name.
func own(c *drydock.Catalog) (names []string) {
	for _, r := range c.All() {
		preset, err := drydock.Presets().Runtime(r.Name)
		if err == nil {
			preset, err = c.Resolve(preset) // puts it on the same stand-in
		}
		if err != nil || preset.Hash() != r.Hash() {
			names = append(names, r.Name)
		}
	}
	return names
}

// summary prints a line for each runtime, and the stand-ins that they were built on.
func summary(w io.Writer, all []image.Prebuilt, took time.Duration) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUNTIME\tRESULT\tTIME\tSIZE")
	var standIns []string
	failed := 0
	for _, p := range all {
		result, size := "was there", fmt.Sprintf("%.1f MiB", float64(p.Size)/(1<<20))
		switch {
		case p.Err != nil:
			failed++
			result, size = "FAILED", "-"
		case p.Built:
			result = "built"
		}
		if p.StandIn != "" {
			result += ", on a stand-in"
			standIns = append(standIns, p.StandIn)
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%s\n", p.Runtime, result, p.Duration.Round(100*time.Millisecond), size)
	}
	t.Flush()
	fmt.Fprintf(w, "\n%d of %d are ready, after %v\n", len(all)-failed, len(all), took.Round(100*time.Millisecond))
	slices.Sort(standIns)
	for _, s := range slices.Compact(standIns) {
		fmt.Fprintln(w, "stand-in:", s)
	}
}

// export writes the images to a file, which gets its name only when it is complete.
func export(ctx context.Context, images *image.Builder, name string, ready []image.Prebuilt) error {
	var names []string
	for _, p := range ready {
		names = append(names, p.Runtime)
	}
	partial := name + ".part"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	err = errors.Join(images.Export(ctx, f, names...), f.Close())
	if err == nil {
		err = os.Rename(partial, name)
	}
	if err != nil {
		_ = os.Remove(partial)
		return err
	}
	fmt.Println("written to", name)
	return nil
}

// printSteps returns a function that prints a line for each step of a pull or a build.
func printSteps(w io.Writer) func(image.Progress) {
	var last image.Progress
	return func(p image.Progress) {
		// Commands may span lines and hold control characters, which a terminal would obey.
		text := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, p.Text)
		switch {
		case p.Done || p.Image == last.Image && p.Step == last.Step && p.Text == last.Text || text == "":
		case p.Steps == 0:
			fmt.Fprintf(w, "%s: %s\n", p.Image, text)
		default:
			fmt.Fprintf(w, "%s: [%d/%d] %s\n", p.Image, p.Step, p.Steps, text)
		}
		last = p
	}
}
