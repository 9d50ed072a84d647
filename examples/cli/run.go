package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"golang.org/x/term"
)

const runUsage = `usage: drydock run [FLAG...] -- COMMAND [ARGUMENT...]

Runs a command in a sandbox that ends with it: without a network, as an unprivileged user, with
a read-only root file system and an empty work dir. Output is passed on as it is written, and so
is stdin unless it is a terminal. A missing image is pulled or built.

  -t, -it, --terminal   give the command a terminal, for sh, python3 -i, vi or top. It gets
                        every key, also Ctrl-C, and all its output is on stdout

  --upload SRC[:DST]    copy a file, or the content of a directory, into the work dir or to DST
                        before the command starts; may be repeated
  --download SRC[:DST]  copy a file or a directory here or to DST when the command has ended,
                        for whatever reason; may be repeated
  --exclude PATTERN     leave entries of that name out of uploads, such as node_modules or *.o; may
                        be repeated
  --skip                leave out entries that are refused, such as symlinks out of the tree, and
                        go on
  --expose [HOSTPORT:]PORT
                        make a server of the command reachable at a URL on 127.0.0.1, which is
                        printed on stderr; may be repeated
  --snapshot NAME       save the files of the work dir and the home when the command has ended
                        (see --from-snapshot, drydock snapshots)

  --timeout D           end the command and all its processes after 30s, 5m, 1h30m
  --json                print one JSON object in place of the output: outcome, exit_code, signal,
                        rung, stdout, stderr, truncated, duration_ms; error, stand_in

` + commonUsage + `
Exits with the code of the command, or 128 plus the number of the signal that ended it, or with:
  2 wrong usage   124 timed out   125 no sandbox, or lost   126 cannot be executed   127 not found
`

// commonUsage describes the flags that run and python share.
const commonUsage = `  --runtime NAME        the runtime to run in (default python-minimal; see drydock runtimes)
  --image IMAGE         an image to run in, instead of a runtime
  --from-snapshot NAME  a snapshot that --snapshot saved, instead of a runtime
  --runtimes FILE       a file of runtimes, in place of those that DRYDOCK_RUNTIMES names;
                        may be repeated
  --lock FILE           use the images and package versions that drydock lock has pinned there
  --engine ENGINE       docker, podman, or the path of such a command line (default docker)
  --offline             pull and build nothing
` + buildFlagsUsage + `
  --memory SIZE         such as 512m or 2g (default 1g); there is no swap in addition
  --cpus N              such as 0.5 (default 2)
  --pids N              processes and threads (default 1024)

  --env KEY=VALUE       set a variable; may be repeated
  --mount SRC:DST[:ro]  mount a directory, a file or a volume; may be repeated. SRC with a slash
                        is a path, without one the name of a volume
  --user USER           uid, uid:gid or a name that the image has (default: unprivileged)
  --writable-root       let the command write outside of the work dir, its home and /tmp
  --workdir DIR         the directory in which the command starts (default: the runtime's)
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
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if in.terminal {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return misuse(os.Stderr, "run", "-t needs a terminal, and stdin is none; leave it out")
		}
		signals = terminalSignals
	}
	ctx, stop := untilSignal(context.Background(), signals...)
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

// run opens a sandbox, runs the command in it, and closes it.
func (in *invocation) run(ctx context.Context) (r *sandbox.Result, standIn string, err error) {
	if in.terminal {
		defer discardInput(os.Stdin)
	}
	sb, err := in.open(ctx)
	if err != nil {
		return nil, "", err
	}
	defer sb.Close()
	if err := in.prepare(ctx, sb); err != nil {
		return nil, sb.StandIn(), err
	}
	cmd := sb.Command(in.command[0], in.command[1:]...)
	cmd.Timeout = in.timeout
	if in.terminal {
		cmd.Env = terminalEnv(in.options.Env)
		r, err = runTerminal(ctx, cmd)
	} else {
		if piped(os.Stdin) {
			cmd.Stdin = os.Stdin
		}
		if !in.json {
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		}
		r, err = cmd.Run(ctx)
	}
	if in.timeout > 0 && err == nil && r.Outcome == sandbox.TimedOut && !in.json {
		fmt.Fprintf(os.Stderr, "drydock: timed out after %v\n", in.timeout)
	}
	if err == nil && r.Outcome == sandbox.OutOfMemory && !in.json {
		fmt.Fprintln(os.Stderr, "drydock: out of memory; give the sandbox more with --memory")
	}
	if r != nil && err == nil {
		err = in.saveResults(ctx, sb)
	}
	return r, sb.StandIn(), err
}

// prepare uploads files and opens ports before the command starts.
func (in *invocation) prepare(ctx context.Context, sb *sandbox.Sandbox) error {
	for _, c := range in.uploads {
		r, err := sb.Upload(ctx, c.from, c.to, &sandbox.TransferOptions{Exclude: in.exclude, Skip: in.skip, Progress: printTransfer(os.Stderr, "uploading "+c.from)})
		if err != nil {
			return hint(err)
		}
		warnSkipped(c.from, r)
	}
	for _, p := range in.expose {
		// The exposed port ends with the sandbox.
		x, err := sb.Expose(ctx, p.inside, &sandbox.ExposeOptions{Listen: fmt.Sprint("127.0.0.1:", p.host)})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "drydock: port %d is at %s\n", p.inside, x.URL())
	}
	return nil
}

// saveResults downloads files and makes the snapshot, also if a signal ended the command.
func (in *invocation) saveResults(ctx context.Context, sb *sandbox.Sandbox) error {
	if ctx.Err() != nil {
		var stop func()
		ctx, stop = untilSignal(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	for _, c := range in.downloads {
		r, err := sb.Download(ctx, c.from, c.to, &sandbox.TransferOptions{Skip: in.skip, Progress: printTransfer(os.Stderr, "downloading "+c.from)})
		if err != nil {
			return hint(err)
		}
		warnSkipped(c.from, r)
	}
	if in.snapshot != "" {
		return sb.Snapshot(ctx, in.snapshot)
	}
	return nil
}

// hint adds the flag that stands for the library's option.
func hint(err error) error {
	if errors.Is(err, sandbox.ErrUnsafe) {
		return fmt.Errorf("%w (here: --skip)", err)
	}
	return err
}

// warnSkipped warns of entries that were left out or changed during the transfer.
func warnSkipped(name string, r *sandbox.TransferResult) {
	for _, e := range r.Skipped {
		fmt.Fprintf(os.Stderr, "drydock: left out: %s\n", visible(e.Error()))
	}
	if more := r.SkippedCount - len(r.Skipped); more > 0 {
		fmt.Fprintf(os.Stderr, "drydock: and %d more\n", more)
	}
	if len(r.Changed) > 0 {
		fmt.Fprintf(os.Stderr, "drydock: %s was written to while it was copied: %q\n", name, r.Changed)
	}
}

// open opens the sandbox that the flags describe.
func (c *common) open(ctx context.Context) (*sandbox.Sandbox, error) {
	opts := c.options
	images := *opts.Images
	var err error
	if images.Catalog, err = catalog(c.catalogFiles); err != nil {
		return nil, err
	}
	if c.lock != "" {
		pins, err := drydock.ReadLockFile(c.lock)
		if err == nil {
			images.Catalog, err = images.Catalog.Locked(pins)
		}
		if err != nil {
			return nil, err
		}
	}
	images.Engine = engine.Docker(&dockercli.Client{Path: c.engine})
	d := newBuildDisplay(os.Stderr, false)
	defer d.close()
	images.Progress = d.show
	opts.Images = &images
	return sandbox.Open(ctx, &opts)
}

// piped reports whether f is open and neither a terminal nor another device.
func piped(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice == 0
}

// untilSignal returns a context that the first of the signals ends. The second has its usual
// effect. The sandbox still ends, with its channel to this process.
func untilSignal(parent context.Context, signals ...os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	received := make(chan os.Signal, 1)
	signal.Notify(received, signals...)
	go func() {
		select {
		case s := <-received:
			signal.Stop(received)
			cancel(interrupted{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		cancel(nil)
	}
}
