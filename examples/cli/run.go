package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
)

const runUsage = `usage: drydock run [FLAG...] -- COMMAND [ARGUMENT...]

Runs a command in a sandbox that ends with it: without a network, as an unprivileged user, with
a read-only root file system and an empty work dir. Output comes as it is written; stdin is
passed on unless it is a terminal. Images are pulled and built where they are missing.

  --runtime NAME        the runtime to run in (default python-minimal; see drydock runtimes)
  --image IMAGE         an image to run in, instead of a runtime
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names;
                        may be repeated
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --offline             pull and build nothing

  --timeout D           end the command and its process group after 30s, 5m, 1h30m
  --memory SIZE         such as 512m or 2g (default 1g); there is no swap beside it
  --cpus N              such as 0.5 (default 2)
  --pids N              processes and threads (default 1024)

  --env KEY=VALUE       set a variable; may be repeated
  --mount SRC:DST[:ro]  show a directory, a file or a volume inside; may be repeated. SRC with a
                        slash is a path, without one the name of a volume
  --user USER           uid, uid:gid or a name that the image has (default: unprivileged)
  --workdir DIR         where the command starts (default: the runtime's)

  --json                print one JSON object at the end and not the output: outcome, exit_code,
                        signal, rung, stdout, stderr, truncated, duration_ms; error, stand_in

Exits with the code of the command, or 128 and the number of the signal that ended it. Else:
  2 wrong usage   124 timed out   125 no sandbox, or lost   126 cannot be executed   127 not found
`

// run is the command of that name; it returns the exit code.
func run(args []string) int {
	in, err := parseRun(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(runUsage)
		return 0
	}
	if err != nil {
		return misuse(os.Stderr, "run", err.Error())
	}
	ctx, stop := untilSignal()
	defer stop()
	result, standIn, err := in.run(ctx)
	code := exitCode(result, err)
	if in.json {
		if err := newReport(result, err, standIn).print(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "drydock:", err)
			return exitEngine
		}
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "drydock:", err)
	}
	return code
}

// run opens the sandbox, runs the command in it, and closes it.
func (in *invocation) run(ctx context.Context) (r *sandbox.Result, standIn string, err error) {
	opts := in.options
	if opts.Catalog, err = catalog(in.files); err != nil {
		return nil, "", err
	}
	opts.Engine = sandbox.Docker(&dockercli.Client{Path: in.engine})
	opts.Progress = printProgress(os.Stderr)
	sb, err := sandbox.Open(ctx, &opts)
	if err != nil {
		return nil, "", err
	}
	defer sb.Close()
	cmd := sb.Command(in.command[0], in.command[1:]...)
	cmd.Timeout = in.timeout
	if piped(os.Stdin) {
		cmd.Stdin = os.Stdin
	}
	if !in.json {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	r, err = cmd.Run(ctx)
	if in.timeout > 0 && err == nil && r.Outcome == sandbox.TimedOut && !in.json {
		fmt.Fprintf(os.Stderr, "drydock: timed out after %v\n", in.timeout)
	}
	return r, sb.StandIn(), err
}

// piped reports whether f is there and neither a terminal nor another device.
func piped(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice == 0
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. The second has its
// usual effect, and the sandbox still goes: it ends when its channel to this process does.
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interrupted{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
