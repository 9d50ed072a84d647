// Multiuser is an HTTP service in which every named user has a sandbox of their own: they run
// code in it, see the output as it comes, and list, download and upload files. A page at its root
// does all of this in a browser.
//
//	go run ./examples/multiuser --runtime python-datascience
//
// The interface, with {name} for a user and {path} for a file below the user's work dir:
//
//	POST   /users/{name}/run           runs {"language":"python","code":"..."}; answers in lines of JSON
//	GET    /users/{name}/files?path=   a directory as JSON
//	GET    /users/{name}/files/{path}  a file
//	PUT    /users/{name}/files/{path}  writes a file of up to 8 MiB
//	DELETE /users/{name}               ends the sandbox; ?files=delete deletes the files, too
//
// A line of run is {"stream":"stdout","data":"..."}, with base64 in place of data if the bytes
// are not UTF-8. The last line is {"outcome":"exited","exit_code":0,"duration_ms":12}. A client
// that goes away while a command runs ends it. An error is {"error":"..."} with its status.
//
// # Trust
//
// The service authenticates nobody: whoever reaches the port can be every user. So it listens on
// the loopback interface, and refuses requests that a browser sends on behalf of another site:
// those for an unknown host name (DNS rebinding) and those from a foreign origin. A service for
// others has to take the user's name from a login. Output of a sandbox is shown as text. Files are
// served as pictures or downloads, and never as a page.
//
// The service does not bound the size of a user's files on the host's disk.
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

// shutdownTime bounds the end of all sandboxes; each takes well under a second.
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
	// A second signal has its usual effect. The sandboxes still end: each ends with its channel
	// to this process.
	context.AfterFunc(ctx, stop)
	if err := c.serve(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "multiuser:", err)
		return 1
	}
	return 0
}

// serve serves until ctx ends, and returns when everything that it started has ended.
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
			return nil // stopped before it was ready
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
		// There is no WriteTimeout: a response may take as long as a sandbox takes to open
		// and a command to run. The type deadlines bounds every single write.
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "multiuser: listening on http://%s/\n", listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(stderr, "multiuser: ending the sandboxes; interrupt again to exit at once")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	// At the same time: a request under way ends when its sandbox does.
	shutdown := make(chan error, 1)
	go func() { shutdown <- server.Shutdown(ctx) }()
	return errors.Join(manager.Shutdown(ctx), <-shutdown)
}

// warmUp opens a sandbox and closes it. A fault of the engine shows now, and a missing image is
// pulled or built before the first user waits for it.
func (c *config) warmUp(ctx context.Context, stderr io.Writer) error {
	opts := c.sessions.Sandbox
	opts.Images = &image.Builder{Progress: printProgress(stderr)}
	sb, err := sandbox.Open(ctx, &opts)
	if err != nil {
		return err
	}
	return sb.Close()
}

// printProgress returns a function that prints a line for each step of a pull or a build.
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
