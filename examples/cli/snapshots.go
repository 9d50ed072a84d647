package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
)

const snapshotsUsage = `usage: drydock snapshots [FLAG...] [--remove NAME...]

Lists the snapshots on an engine, or removes the named ones.

  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --remove              remove the snapshots of these names
`

// snapshots is the command of that name; it returns the exit code.
func snapshots(args []string) int {
	f := newFlags("snapshots")
	cli := f.String("engine", "docker", "")
	remove := f.Bool("remove", false, "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(snapshotsUsage)
		return 0
	case err == nil && *remove && f.NArg() == 0:
		err = errors.New("--remove needs the names of snapshots")
	case err == nil && !*remove && f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; to remove a snapshot write --remove before its name", f.Arg(0))
	}
	if err != nil {
		return misuse(os.Stderr, "snapshots", err.Error())
	}
	ctx, stop := untilSignal(context.Background(), os.Interrupt)
	defer stop()
	on := engine.Docker(&dockercli.Client{Path: *cli})
	if *remove {
		var all []sandbox.SnapshotInfo
		all, err = sandbox.Snapshots(ctx, on)
		for _, name := range f.Args() {
			if !slices.ContainsFunc(all, func(s sandbox.SnapshotInfo) bool { return s.Name == name }) {
				err = errors.Join(err, fmt.Errorf("there is no snapshot %q", name))
				continue
			}
			err = errors.Join(err, sandbox.RemoveSnapshot(ctx, on, name))
		}
	} else {
		var all []sandbox.SnapshotInfo
		if all, err = sandbox.Snapshots(ctx, on); err == nil {
			err = listSnapshots(os.Stdout, all)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drydock:", err)
		return exitEngine
	}
	return 0
}

func listSnapshots(w io.Writer, all []sandbox.SnapshotInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tCREATED\tSIZE\tWORK DIR\tBASE")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Created.Local().Format(time.DateTime),
			mebibytes(s.Size), s.WorkDir, s.Base)
	}
	return t.Flush()
}
