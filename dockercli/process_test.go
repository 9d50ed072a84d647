package dockercli

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestStart(t *testing.T) {
	t.Run("channel", func(t *testing.T) {
		is := is.New(t)
		c, calls := fake(t, map[string]reply{"run": {Echo: true}})
		ctx, cancel := context.WithCancel(t.Context())
		p, err := c.Start(ctx, "img", nil, nil)
		is.NoErr(err) // starts
		defer p.Close()
		cancel() // must not matter
		_, err = io.WriteString(p.Stdin, "ping")
		is.NoErr(err) // writes
		buf := make([]byte, 4)
		_, err = io.ReadFull(p.Stdout, buf)
		is.NoErr(err)                 // reads
		is.Equal(string(buf), "ping") // echo
		is.Equal(p.ExitCode(), -1)    // runs
		is.True(errors.Is(p.Wait(ctx), context.Canceled))
		is.NoErr(p.Close())                                        // ends
		is.NoErr(p.Close())                                        // idempotent
		is.NoErr(p.Wait(t.Context()))                              // exit 0
		is.True(slices.Contains(calls()[0].Args, "--interactive")) // set by Start
	})
	t.Run("engine fails", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"exec": {Stderr: "Error response from daemon: No such container: c", Exit: 1}})
		p, err := c.StartExec(t.Context(), "c", []string{"x"}, nil)
		is.NoErr(err) // the CLI starts
		defer p.Close()
		is.True(errors.Is(p.Wait(t.Context()), ErrNoSuchContainer)) // told by Wait
	})
	t.Run("not installed", func(t *testing.T) {
		is := is.New(t)
		_, err := (&Client{Path: "drydock-no-such-cli"}).Start(t.Context(), "img", nil, nil)
		is.True(errors.Is(err, ErrNotInstalled)) // a name that PATH does not have
		_, err = (&Client{Path: "/nonexistent/docker"}).Start(t.Context(), "img", nil, nil)
		is.True(errors.Is(err, ErrNotInstalled)) // a path that is not there
	})
	t.Run("kill", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"run": {Sleep: time.Minute, IgnoreTerm: true}})
		p, err := c.Start(t.Context(), "img", nil, nil)
		is.NoErr(err)      // starts
		is.NoErr(p.Kill()) // at once
		if runtime.GOOS != "windows" {
			is.Equal(p.ExitCode(), -1)                                               // signalled
			is.True(strings.Contains(p.Wait(t.Context()).Error(), "signal: killed")) // says so
		}
	})
}
