// Multiuser is an HTTP service in which every named user has a sandbox of their own: they run
// code in it, see the output as it comes, and list, fetch and upload files. A page to do so by
// hand is at its root.
//
//	go run ./examples/multiuser --runtime python-datascience
//
// The interface, with {name} for a user and {path} for a file below the user's work dir:
//
//	POST   /users/{name}/run           {"language":"python","code":"..."}: lines of JSON as they come
//	GET    /users/{name}/files?path=   a directory as JSON
//	GET    /users/{name}/files/{path}  a file
//	PUT    /users/{name}/files/{path}  writes a file of up to 8 MiB
//	DELETE /users/{name}               ends the sandbox; ?files=delete deletes the files, too
//
// A line of run is {"stream":"stdout","data":"..."}, with base64 in place of data where the bytes
// are not UTF-8, or the last one, {"outcome":"exited","exit_code":0,"duration_ms":12}. Whoever
// goes away while a command runs ends it. An error is {"error":"..."} with its status.
//
// # Trust
//
// It does not know who asks: whoever reaches the port is every user. So it listens on the
// loopback interface, and refuses what a browser sends on behalf of another site: names that it
// is not known by (DNS rebinding) and foreign origins. A service for others derives the name
// from who is logged in. What comes out of a sandbox is shown as text and served so that a
// browser takes it for a picture or a download and never for a page.
//
// It does not bound what a user's files may grow to on the disk of the host.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/session"
)

// shutdownTime is how long the sandboxes have to end, which takes well under a second each.
const shutdownTime = 30 * time.Second

func main() { os.Exit(run(os.Args[1:])) }

// run is the program; it returns the exit code.
func run(args []string) int {
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "multiuser: %v\nSee multiuser --help.\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal has its usual effect. The sandboxes go then, too: they end when their
	// channel to this process does.
	context.AfterFunc(ctx, stop)
	if err := c.serve(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "multiuser:", err)
		return 1
	}
	return 0
}

// serve serves until ctx ends, and returns when nothing is left of what it started.
func (c *config) serve(ctx context.Context, stdout, stderr io.Writer) (err error) {
	c.sessions.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	manager, err := session.New(&c.sessions)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		err = errors.Join(err, manager.Shutdown(ctx))
	}()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := c.warmUp(ctx, stderr); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it had begun
		}
		return err
	}
	server := &http.Server{
		Handler:           newService(manager, c),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(c.sessions.Logger.Handler(), slog.LevelWarn),
		// There is no WriteTimeout, as a response may take as long as a sandbox takes to
		// open and a command to run; deadlines has one for every write.
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "multiuser: listening on http://%s/\n", listener.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(stderr, "multiuser: ending the sandboxes; interrupt again to leave at once")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	// The two go together: requests under way end when their sandboxes do.
	down := make(chan error, 1)
	go func() { down <- server.Shutdown(ctx) }()
	return errors.Join(manager.Shutdown(ctx), <-down)
}

// warmUp opens a sandbox and closes it: what is wrong with the engine shows now, and an image
// that has to be pulled or built is, before the first user waits for it.
func (c *config) warmUp(ctx context.Context, stderr io.Writer) error {
	opts := c.sessions.Sandbox
	opts.Images = &image.Builder{Progress: printProgress(stderr)}
	sb, err := sandbox.Open(ctx, &opts)
	if err != nil {
		return err
	}
	return sb.Close()
}

// printProgress returns what prints one line for each step of a pull or build.
func printProgress(w io.Writer) func(image.Progress) {
	var last image.Progress
	return func(p image.Progress) {
		switch {
		case p.Done && p.Err == nil:
			fmt.Fprintf(w, "multiuser: %s is ready\n", p.Image)
		case p.Done || p.Step == last.Step && p.Text == last.Text:
		case p.Steps == 0:
			fmt.Fprintf(w, "multiuser: %s: %.100s\n", p.Image, p.Text)
		default:
			fmt.Fprintf(w, "multiuser: %s: [%d/%d] %.100s\n", p.Image, p.Step, p.Steps, p.Text)
		}
		last = p
	}
}
