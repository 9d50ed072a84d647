package dockercli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestInfo(t *testing.T) {
	t.Run("one process for all callers", func(t *testing.T) {
		is := is.New(t)
		c, calls := fake(t, map[string]reply{"info": {Stdout: infoDocker28, Sleep: 100 * time.Millisecond}})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				info, err := c.Info(t.Context())
				if err != nil || info.Builder != BuildKit {
					t.Errorf("info %+v, error %v", info, err)
				}
			})
		}
		wg.Wait()
		_, err := c.Info(t.Context())
		is.NoErr(err)             // cached
		is.Equal(len(calls()), 1) // one probe
	})
	t.Run("a leader that leaves does not fail the others", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: infoDocker28, Sleep: 300 * time.Millisecond}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Info(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("leader: %v", err)
			}
		})
		time.Sleep(10 * time.Millisecond)
		_, err := c.Info(t.Context())
		is.NoErr(err) // asked again
		wg.Wait()
	})
	t.Run("unreachable is not cached", func(t *testing.T) {
		is := is.New(t)
		for _, r := range []reply{
			{Exit: 1, Stdout: `{"ServerVersion":"","ClientInfo":{"Version":"28.2.2"}}`, Stderr: "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"},
			{Exit: 0, Stdout: `{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"],"ClientInfo":{}}`},
			{Exit: 1, Stdout: `{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"],"ClientInfo":{}}`},
			{Exit: 0, Stdout: `{"ServerVersion":"","ClientInfo":{}}`},
		} {
			c, calls := fake(t, map[string]reply{"info": r})
			for range 2 {
				_, err := c.Info(t.Context())
				is.True(errors.Is(err, ErrUnreachable)) // sentinel
			}
			is.Equal(len(calls()), 2) // probed again
		}
		c, _ := fake(t, map[string]reply{"info": {Stdout: `{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket"]}`}})
		_, err := c.Info(t.Context())
		is.True(errors.Is(err, ErrPermission)) // sentinel
	})
	t.Run("garbage", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: "hello"}})
		_, err := c.Info(t.Context())
		is.True(errors.Is(err, ErrOutput)) // sentinel
	})
}

func TestEnvironment(t *testing.T) {
	is := is.New(t)
	t.Setenv("DOCKER_HOST", "tcp://inherited")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	c, calls := fake(t, map[string]reply{"run": {}})
	c.Context = "ctx"
	_, err := c.Run(t.Context(), "img", nil, &RunOptions{Env: map[string]string{"TOKEN": "s3cret"}})
	is.NoErr(err) // runs
	env := calls()[0].Env
	for _, want := range []string{"LC_ALL=C", "NO_COLOR=1", "DOCKER_CLI_HINTS=false", "TOKEN=s3cret",
		"DOCKER_CONTEXT=ctx"} {
		is.True(slices.Contains(env, want)) // variable
	}
	is.True(!strings.Contains(strings.Join(env, "\n"), "DOCKER_HOST"))       // the context wins
	is.True(!strings.Contains(strings.Join(calls()[0].Args, " "), "s3cret")) // not in argv
	c, calls = fake(t, map[string]reply{"rm": {}})
	c.Host = "ssh://h"
	is.NoErr(c.Remove(t.Context(), "a"))                            // runs
	is.True(slices.Contains(calls()[0].Env, "DOCKER_HOST=ssh://h")) // host
}

func TestRunResult(t *testing.T) {
	t.Run("captured", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"run": {Stdout: "out", Stderr: "err", Exit: 3}})
		r, err := c.Run(t.Context(), "img", []string{"x"}, nil)
		is.NoErr(err)                     // an exit is a result
		is.Equal(r.ExitCode, 3)           // code
		is.Equal(string(r.Stdout), "out") // apart
		is.Equal(string(r.Stderr), "err") // apart
		is.NoErr(r.EngineError())         // the command's
	})
	t.Run("streamed", func(t *testing.T) {
		is := is.New(t)
		c, calls := fake(t, map[string]reply{"exec": {Echo: true, Stderr: "e"}})
		var out bytes.Buffer
		in := strings.Repeat("0123456789", 50_000)
		r, err := c.Exec(t.Context(), "c", []string{"cat"}, &ExecOptions{Stdin: strings.NewReader(in), Stdout: &out})
		is.NoErr(err)                                              // runs
		is.Equal(out.Len(), len(in))                               // all of it
		is.Equal(r.StdoutDropped, int64(len(in)-len(r.Stdout)))    // the tail is kept
		is.True(slices.Contains(calls()[0].Args, "--interactive")) // set by Stdin
	})
	t.Run("capped", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"run": {Flood: 5 << 20}, "ps": {Flood: 5 << 20}})
		r, err := c.Run(t.Context(), "img", nil, nil)
		is.NoErr(err)                           // runs
		is.Equal(len(r.Stdout), 4<<20)          // cap
		is.Equal(r.StdoutDropped, int64(1<<20)) // counted
		_, err = c.List(t.Context(), nil)
		is.True(errors.Is(err, ErrOutput)) // a cut list is no list
	})
}

// writerFunc is called for every write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

func TestCancel(t *testing.T) {
	is := is.New(t)
	c, _ := fake(t, map[string]reply{"run": {Stdout: "partial", Sleep: time.Minute}})
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	start := time.Now()
	r, err := c.Run(ctx, "img", nil, &RunOptions{Stdout: writerFunc(func() { cancel(cause) })})
	is.True(errors.Is(err, cause))              // the cause
	is.True(time.Since(start) < 10*time.Second) // at once
	is.Equal(string(r.Stdout), "partial")       // partial output is kept
	_, err = c.Run(ctx, "img", nil, nil)
	is.True(errors.Is(err, cause)) // checked before the start
	_, err = c.Start(ctx, "img", nil, nil)
	is.True(errors.Is(err, cause)) // checked before the start
	_, err = c.Info(ctx)
	is.True(errors.Is(err, cause)) // checked before the start
}

func TestLimit(t *testing.T) {
	is := is.New(t)
	c, calls := fake(t, map[string]reply{"rm": {Sleep: time.Second}, "run": {}})
	c.Limit = 1
	var wg sync.WaitGroup
	wg.Go(func() { c.Remove(t.Context(), "a") })
	for len(calls()) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	is.True(errors.Is(c.Remove(ctx, "b"), context.DeadlineExceeded)) // no room
	_, err := c.Run(t.Context(), "img", nil, nil)
	is.NoErr(err)             // not counted
	is.Equal(len(calls()), 2) // b was never started
	wg.Wait()
}

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

func TestRemove(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    reply
		ok   bool
	}{
		{"done", reply{Stdout: "a\n"}, true},
		{"gone", reply{Exit: 1, Stderr: "Error: No such container: a\nError response from daemon: removal of container b is already in progress\n"}, true},
		{"refused", reply{Exit: 1, Stderr: "Error: No such container: a\nError response from daemon: driver failed\n"}, false},
		{"silent", reply{Exit: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			c, calls := fake(t, map[string]reply{"rm": tt.r, "container": {Exit: 1, Stderr: "Error: No such container: a"}})
			is.Equal(c.Remove(t.Context(), "a", "b") == nil, tt.ok) // error
			if tt.name == "gone" {
				is.Equal(len(calls()), 3) // looks until both are gone
			}
		})
	}
	is := is.New(t)
	is.NoErr((&Client{Path: "drydock-no-such-cli"}).Remove(t.Context())) // nothing to do
}

func TestBuild(t *testing.T) {
	t.Run("fails", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: infoDocker20}, "build": {
			Echo: true, Stderr: "Step 1/1 : RUN false\nThe command returned a non-zero code: 1\n", Exit: 1}})
		var progress bytes.Buffer
		err := c.Build(t.Context(), strings.NewReader(""), &BuildOptions{Output: &progress})
		var e *Error
		is.True(errors.As(err, &e))                               // typed
		is.True(errors.Is(err, ErrBuild))                         // sentinel
		is.True(strings.HasPrefix(e.Stderr, "Step 1/1"))          // the step
		is.True(strings.Contains(progress.String(), "RUN false")) // progress
	})
	t.Run("base image", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: infoPodman}, "build": {Stderr: "Error: x: image not known", Exit: 125}})
		err := c.Build(t.Context(), nil, nil)
		is.True(errors.Is(err, ErrBuild) && errors.Is(err, ErrNoSuchImage)) // both
	})
	t.Run("offline", func(t *testing.T) {
		is := is.New(t)
		c, calls := fake(t, map[string]reply{"info": {Stdout: infoDocker28}})
		err := c.Build(t.Context(), nil, &BuildOptions{Pull: PullNever})
		var e *Error
		is.True(errors.As(err, &e) && errors.Is(err, ErrUnsupportedFlag)) // refused
		is.Equal(e.Flag, "--pull=never")                                  // named
		is.Equal(len(calls()), 1)                                         // not started
	})
}

func TestLogger(t *testing.T) {
	is := is.New(t)
	var b bytes.Buffer
	c, _ := fake(t, map[string]reply{"run": {}})
	c.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, err := c.Run(t.Context(), "img", []string{"--token=s3cret"}, &RunOptions{Env: map[string]string{"PATH": "s3cret"}})
	is.NoErr(err)                                           // runs
	is.Equal(strings.Count(b.String(), "container CLI"), 2) // start and end
	is.True(!strings.Contains(b.String(), "s3cret"))        // masked
}
