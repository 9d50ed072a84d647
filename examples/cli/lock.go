package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
)

const lockUsage = `usage: drydock lock [FLAG...] NAME...

Pins runtimes to the images and the package versions that they have today, in a file that
run --lock and python --lock use. A missing image is built. Other runtimes in the file stay as
they are.

  --file FILE           the lock file (default runtimes.lock)
  --check               change nothing; report runtimes that differ from the file
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names;
                        may be repeated
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)

` + buildFlagsUsage + `
Exits with 1 if --check finds a difference, and with 2 after wrong usage.
`

// lock is the command of that name; it returns the exit code.
func lock(args []string) int {
	f := newFlags("lock")
	file := f.String("file", "runtimes.lock", "")
	check := f.Bool("check", false, "")
	cli := f.String("engine", "docker", "")
	var files []string
	runtimeFiles(f, &files)
	images := buildFlags(f)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(lockUsage)
		return 0
	case err == nil && !*check && f.NArg() == 0:
		err = errors.New("no runtimes; write their names")
	}
	if err != nil {
		return misuse(os.Stderr, "lock", err.Error())
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt)
	defer stop()
	if images.Catalog, err = catalog(files); err == nil {
		docker := engine.Docker(&dockercli.Client{Path: *cli})
		if *check {
			err = checkLock(ctx, docker, images.Catalog, *file, f.Args())
		} else {
			images.Engine = docker
			err = writeLock(ctx, images, *file, f.Args())
		}
	}
	var changed lockChanged
	switch {
	case errors.As(err, &changed):
		fmt.Fprintln(os.Stderr, "drydock:", err)
		return 1
	case err != nil:
		fmt.Fprintln(os.Stderr, "drydock:", err)
		return exitEngine
	}
	return 0
}

func writeLock(ctx context.Context, images *image.Builder, file string, names []string) error {
	all, err := drydock.ReadLockFile(file)
	if errors.Is(err, os.ErrNotExist) {
		all, err = &drydock.LockFile{Runtimes: map[string]drydock.Pins{}}, nil
	}
	if err != nil {
		return err
	}
	display := newBuildDisplay(os.Stderr, false)
	images.Progress = display.show
	pinned, err := sandbox.Pin(ctx, images, names...)
	display.close()
	if err != nil {
		return err
	}
	if all.Runtimes == nil {
		all.Runtimes = pinned.Runtimes
	}
	maps.Copy(all.Runtimes, pinned.Runtimes)
	for _, name := range names {
		pins := pinned.Runtimes[name]
		packages := 0
		for _, p := range pins.Packages {
			packages += len(p)
		}
		fmt.Printf("%s: %s, %d packages\n", name, pins.Image, packages)
	}
	return all.Write(file)
}

// lockChanged is the error of a runtime that differs from the lock file.
type lockChanged struct{ error }

// checkLock looks for definitions and images that differ from the lock file.
func checkLock(ctx context.Context, docker *engine.CLI, c *drydock.Catalog, file string, names []string) error {
	all, err := drydock.ReadLockFile(file)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(all.Runtimes))
	}
	var found []error
	for _, name := range names {
		pins, ok := all.Runtimes[name]
		if !ok {
			found = append(found, fmt.Errorf("runtime %q is not in the lock file; add it with drydock lock", name))
			continue
		}
		if _, err := c.Locked(&drydock.LockFile{Runtimes: map[string]drydock.Pins{name: pins}}); err != nil {
			found = append(found, err)
			continue
		}
		r, err := c.Runtime(name)
		if err != nil {
			return err
		}
		now, err := docker.InspectImage(ctx, r.Base())
		switch {
		case errors.Is(err, sandbox.ErrNoImage):
			// The image will be pulled by its digest.
		case err != nil:
			return err
		case now.ID != pins.ImageID:
			found = append(found, fmt.Errorf("runtime %q: %s is not the locked image; lock it again, or pull the locked one", name, r.Base()))
		}
	}
	if len(found) > 0 {
		return lockChanged{errors.Join(found...)}
	}
	return nil
}
