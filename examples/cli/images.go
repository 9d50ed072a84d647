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

Lists the images of runtimes on an engine. It includes superseded images, whose runtimes have
another definition today; drydock prune removes them.

  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
`

// images is the command of that name; it returns the exit code.
func images(args []string) int {
	o, err := parseImageFlags(newFlags("images"), args, 0, false)
	if code, exit := usageExit("images", imagesUsage, err); exit {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.configure(images); err == nil {
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
	_, err := fmt.Fprintf(w, "\n%d in all, %s; shared layers are counted for each image\n", len(all), mebibytes(sum))
	return err
}

const pruneUsage = `usage: drydock prune [FLAG...]

Removes superseded images of runtimes, and images that have lost their names to newer ones. An
image that a container uses is kept, and so is one that is being built. A removed image is built
again when it is needed.

  --dry-run             only list the images that would be removed
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
  --unused-for TIME     also remove images that this user has not used for this long, such as 30d
`

// prune is the command of that name; it returns the exit code.
func prune(args []string) int {
	f := newFlags("prune")
	p := image.PruneOptions{}
	f.BoolVar(&p.DryRun, "dry-run", false, "")
	f.Func("unused-for", "", into(&p.UnusedFor, parseAge))
	o, err := parseImageFlags(f, args, 0, false)
	if code, exit := usageExit("prune", pruneUsage, err); exit {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.configure(images); err == nil {
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
		return 0, errors.New("write a duration such as 30d or 12h")
	}
	return d, nil
}

const exportUsage = `usage: drydock export [FLAG...] FILE NAME... | --all FILE

Writes the images of runtimes to a file, for drydock import on a host without a registry. A
missing image is built first. The file - is stdout.

  --all                 the images of all runtimes
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
`

// export is the command of that name; it returns the exit code.
func export(args []string) int {
	o, err := parseImageFlags(newFlags("export"), args, 1, true)
	switch {
	case err == nil && len(o.args) == 0:
		err = errors.New("no file; write its name before those of the runtimes")
	case err == nil && o.args[0] == "-" && term.IsTerminal(int(os.Stdout.Fd())):
		err = errors.New("stdout is a terminal; write the name of a file")
	}
	if code, exit := usageExit("export", exportUsage, err); exit {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images := &image.Builder{}
	if err = o.configure(images); err == nil {
		d := newBuildDisplay(os.Stderr, false)
		images.Progress = d.show
		err = toFile(o.args[0], func(w io.Writer) error { return images.Export(ctx, w, o.args[1:]...) })
		d.close()
	}
	return failure(err)
}

// toFile lets write fill a file, which gets its name only when it is complete.
func toFile(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(os.Stdout)
	}
	partial := name + ".part"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(partial, name)
	}
	if err != nil {
		// If it cannot be removed, its name shows that it is not complete.
		_ = os.Remove(partial)
	}
	return err
}

const importUsage = `usage: drydock import [FLAG...] FILE

Reads the images of runtimes that drydock export wrote, and lists them. It fails if the runtimes
on this host have other definitions. The file - is stdin.

  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names; may
                        be repeated
`

// imports is the command import; it returns the exit code.
func imports(args []string) int {
	o, err := parseImageFlags(newFlags("import"), args, 1, false)
	if err == nil && len(o.args) == 0 {
		err = errors.New("no file; write the name of one that drydock export wrote")
	}
	if code, exit := usageExit("import", importUsage, err); exit {
		return code
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	in := os.Stdin
	images := &image.Builder{}
	if err = o.configure(images); err == nil && o.args[0] != "-" {
		in, err = os.Open(o.args[0])
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
