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

Makes the images of runtimes ready, so that later runs need not wait for them. A build that
fails does not keep the others back.

  --all                 the images of all runtimes
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
  --verbose             print all that the builder does

` + buildFlagsUsage

// onImages is what the commands share that look after images.
type onImages struct {
	engine string
	lists  []string // files of runtimes
	all    bool
	rest   []string
}

// parseOnImages adds their flags to f and reads args. With names, some runtimes have to be
// named, after so many other arguments, or all be asked for.
func parseOnImages(f *flag.FlagSet, args []string, others int, names bool) (*onImages, error) {
	o := &onImages{}
	f.StringVar(&o.engine, "engine", "docker", "")
	runtimeFiles(f, &o.lists)
	if names {
		f.BoolVar(&o.all, "all", false, "")
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.rest = f.Args()
	switch {
	case o.engine == "":
		return nil, errors.New("--engine is empty; write docker, podman or a path")
	case names && o.all && len(o.rest) > others:
		return nil, errors.New("both --all and names of runtimes; write one of them")
	case names && !o.all && len(o.rest) == others:
		return nil, errors.New("which runtimes? write their names, or --all")
	case !names && len(o.rest) > others:
		return nil, fmt.Errorf("unexpected argument %q", o.rest[others])
	}
	return o, nil
}

// onEngine gives a builder the engine and the catalogue that the flags name.
func (o *onImages) onEngine(b *image.Builder) (err error) {
	b.Engine = engine.Docker(&dockercli.Client{Path: o.engine})
	b.Catalog, err = catalog(o.lists)
	return err
}

// build is the command of that name; it returns the exit code.
func build(args []string) int {
	f := newFlags("build")
	images := buildFlags(f)
	verbose := f.Bool("verbose", false, "")
	o, err := parseOnImages(f, args, 0, true)
	if code, done := parsed("build", buildUsage, err); done {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err = o.onEngine(images); err == nil {
		d := newBuildDisplay(os.Stderr, *verbose)
		images.Progress = d.show
		var ready []image.Prebuilt
		ready, err = images.Prebuild(ctx, o.rest...)
		d.close()
		if len(ready) > 0 {
			err = errors.Join(err, listPrebuilt(os.Stdout, ready))
		}
	}
	return failure(err)
}

// parsed deals with what the arguments of a command were, and reports whether that was all.
func parsed(command, usage string, err error) (code int, done bool) {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0, true
	}
	if err != nil {
		return misuse(os.Stderr, command, err.Error()), true
	}
	return 0, false
}

// failure tells an error, if there is one, and returns the exit code.
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

// listPrebuilt marks what is built on an image that stands in for another, and explains it below.
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
	return explain(w, standIns)
}

// explain says what the marked images stand in for.
func explain(w io.Writer, standIns []string) error {
	if len(standIns) == 0 {
		return nil
	}
	slices.Sort(standIns)
	_, err := fmt.Fprintf(w, "\n* stands in for another image on this host:\n  %s\n", strings.Join(slices.Compact(standIns), "\n  "))
	return err
}
