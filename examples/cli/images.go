package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/drydock-go/drydock/sandbox/image"
	"golang.org/x/term"
)

const imagesUsage = `usage: drydock images [FLAG...]

Lists the images that an engine has of runtimes, also those that their definitions no longer
yield, which drydock prune removes.

  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
`

// listing is the command images; it returns the exit code.
func listing(args []string) int {
	o, err := parseOnImages(newFlags("images"), args, 0, false)
	if code, done := parsed("images", imagesUsage, err); done {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.onEngine(images); err == nil {
		var all []image.RuntimeImage
		if all, err = images.Images(ctx); err == nil {
			err = listImages(os.Stdout, all)
		}
	}
	return failure(err)
}

func listImages(w io.Writer, all []image.RuntimeImage) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUNTIME\tTAG\tBASE\tCREATED\tUSED\tSIZE\tSTATE")
	var sum int64
	for _, im := range all {
		runtime, tag := im.Runtime, "-"
		if runtime == "" {
			runtime = "-"
		}
		if im.Ref != "" {
			tag = im.Ref[strings.LastIndexByte(im.Ref, ':')+1:]
		}
		var states []string
		if im.Superseded {
			states = append(states, "superseded")
		}
		if im.InUse {
			states = append(states, "in use")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", visible(runtime), visible(tag), visible(im.Base),
			im.Created.Local().Format(time.DateOnly), im.Used.Local().Format(time.DateOnly), mebibytes(im.Size), strings.Join(states, ", "))
		sum += im.Size
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d in all, %s, layers that they share counted each time\n", len(all), mebibytes(sum))
	return err
}

const pruneUsage = `usage: drydock prune [FLAG...]

Removes the images of runtimes that their definitions no longer yield, and those that have
lost their names to newer ones. What a container is on is kept, and so is what is being built.
What was removed is built again when it is needed.

  --dry-run             only list what would be removed
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
  --unused-for TIME     remove as well what this user has not used for so long, such as 30d
`

// prune is the command of that name; it returns the exit code.
func prune(args []string) int {
	f := newFlags("prune")
	p := image.PruneOptions{}
	f.BoolVar(&p.DryRun, "dry-run", false, "")
	f.Func("unused-for", "", into(&p.UnusedFor, parseAge))
	o, err := parseOnImages(f, args, 0, false)
	if code, done := parsed("prune", pruneUsage, err); done {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.onEngine(images); err == nil {
		var removed []image.RuntimeImage
		removed, err = images.Prune(ctx, &p)
		switch {
		case len(removed) > 0:
			err = errors.Join(err, listImages(os.Stdout, removed))
			if !p.DryRun {
				fmt.Fprintln(os.Stderr, "drydock: these were removed")
			}
		case err == nil:
			fmt.Fprintln(os.Stderr, "drydock: there is nothing to remove")
		}
	}
	return failure(err)
}

var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

// parseAge reads a duration, also one in days.
func parseAge(s string) (time.Duration, error) {
	if m := days.FindStringSubmatch(s); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := parseTimeout(s)
	if err != nil {
		return 0, errors.New("write how long, such as 30d or 12h")
	}
	return d, nil
}

const exportUsage = `usage: drydock export [FLAG...] FILE NAME... | --all FILE

Writes the images of runtimes to a file, for drydock import on a host that can reach no
registry. Those that are not there are built first. The file - is stdout.

  --all                 the images of all runtimes
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
`

// export is the command of that name; it returns the exit code.
func export(args []string) int {
	o, err := parseOnImages(newFlags("export"), args, 1, true)
	switch {
	case err == nil && len(o.rest) == 0:
		err = errors.New("to which file?")
	case err == nil && o.rest[0] == "-" && term.IsTerminal(int(os.Stdout.Fd())):
		err = errors.New("stdout is a terminal; write the name of a file")
	}
	if code, done := parsed("export", exportUsage, err); done {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.onEngine(images); err == nil {
		d := newBuildDisplay(os.Stderr, false)
		images.Progress = d.show
		err = toFile(o.rest[0], func(w io.Writer) error { return images.Export(ctx, w, o.rest[1:]...) })
		d.close()
	}
	return failure(err)
}

// toFile has a file written, which is there when it is whole.
func toFile(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(os.Stdout)
	}
	part := name + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		// A file that cannot be removed is seen to be no whole one by its name.
		_ = os.Remove(part)
	}
	return err
}

const importUsage = `usage: drydock import [FLAG...] FILE

Takes the images of runtimes that drydock export wrote, and lists them. It fails where the
definitions on this host yield other images. The file - is stdin.

  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
`

// imports is the command import; it returns the exit code.
func imports(args []string) int {
	o, err := parseOnImages(newFlags("import"), args, 1, false)
	if err == nil && len(o.rest) == 0 {
		err = errors.New("from which file?")
	}
	if code, done := parsed("import", importUsage, err); done {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	in := os.Stdin
	images := &image.Builder{}
	if err = o.onEngine(images); err == nil && o.rest[0] != "-" {
		in, err = os.Open(o.rest[0])
	}
	if err == nil {
		defer in.Close()
		var all []image.RuntimeImage
		all, err = images.Import(ctx, in)
		if len(all) > 0 {
			err = errors.Join(err, listImages(os.Stdout, all))
		}
	}
	return failure(err)
}
