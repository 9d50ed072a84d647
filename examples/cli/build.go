package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
)

const buildUsage = `usage: drydock build [FLAG...] NAME... | --all

Builds the images of runtimes, so that later runs need not wait for them. A failed build does not
stop the others.

  --all                 the images of all runtimes
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
  --verbose             print all output of the builder

` + buildFlagsUsage

// imageFlags holds the arguments that the commands for images share.
type imageFlags struct {
	engine       string
	catalogFiles []string
	all          bool
	args         []string
}

// parseImageFlags adds the shared flags to f and parses args. The command takes up to others
// arguments. If names is set, names of runtimes or --all have to follow them.
func parseImageFlags(f *flag.FlagSet, args []string, others int, names bool) (*imageFlags, error) {
	o := &imageFlags{}
	f.StringVar(&o.engine, "engine", "docker", "")
	runtimeFiles(f, &o.catalogFiles)
	if names {
		f.BoolVar(&o.all, "all", false, "")
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.args = f.Args()
	switch {
	case o.engine == "":
		return nil, errors.New("--engine is empty; write docker, podman or a path")
	case names && o.all && len(o.args) > others:
		return nil, errors.New("both --all and names of runtimes; write one of them")
	case names && !o.all && len(o.args) == others:
		return nil, errors.New("no runtimes; write their names, or --all")
	case !names && len(o.args) > others:
		return nil, fmt.Errorf("unexpected argument %q", o.args[others])
	}
	return o, nil
}

// configure sets the engine and the catalogue of a builder.
func (o *imageFlags) configure(b *image.Builder) (err error) {
	b.Engine = engine.Docker(&dockercli.Client{Path: o.engine})
	b.Catalog, err = catalog(o.catalogFiles)
	return err
}

// build is the command of that name; it returns the exit code.
func build(args []string) int {
	f := newFlags("build")
	images := buildFlags(f)
	verbose := f.Bool("verbose", false, "")
	o, err := parseImageFlags(f, args, 0, true)
	if code, exit := usageExit("build", buildUsage, err); exit {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err = o.configure(images); err == nil {
		d := newBuildDisplay(os.Stderr, *verbose)
		images.Progress = d.show
		var ready []image.Prebuilt
		ready, err = images.Prebuild(ctx, o.args...)
		d.close()
		if len(ready) > 0 {
			err = errors.Join(err, listPrebuilt(os.Stdout, ready))
		}
	}
	return failure(err)
}

// usageExit handles the error of parsing a command's arguments. If exit is set, the command ends
// with code: after printing its usage or what is wrong.
func usageExit(command, usage string, err error) (code int, exit bool) {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0, true
	}
	if err != nil {
		return misuse(os.Stderr, command, err.Error()), true
	}
	return 0, false
}

// failure prints an error, if there is one, and returns the exit code.
func failure(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "drydock:", err)
	if i := (interrupted{}); errors.As(err, &i) {
		return exitSignal + int(i.signal)
	}
	return exitEngine
}

// listPrebuilt prints the results. It marks images that were built on a stand-in, and names the
// stand-ins below.
func listPrebuilt(w io.Writer, all []image.Prebuilt) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tRESULT\tTIME\tSIZE")
	var standIns []string
	for _, p := range all {
		result, size := "was there", mebibytes(p.Size)
		switch {
		case p.Err != nil:
			result, size = "failed", "-"
		case p.Built:
			result = "built"
		}
		if p.StandIn != "" {
			result += " *"
			standIns = append(standIns, p.StandIn)
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%s\n", p.Runtime, result, p.Duration.Round(100*time.Millisecond), size)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return explainStandIns(w, standIns)
}

// explainStandIns names the stand-ins of the marked images.
func explainStandIns(w io.Writer, standIns []string) error {
	if len(standIns) == 0 {
		return nil
	}
	slices.Sort(standIns)
	_, err := fmt.Fprintf(w, "\n* stands in for another image on this host:\n  %s\n", strings.Join(slices.Compact(standIns), "\n  "))
	return err
}
