package dockercli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

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
	is.NoErr(c.ContainerRemove(t.Context(), "a"))                   // runs
	is.True(slices.Contains(calls()[0].Env, "DOCKER_HOST=ssh://h")) // host
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
	c.MaxProcesses = 1
	var wg sync.WaitGroup
	wg.Go(func() { c.ContainerRemove(t.Context(), "a") })
	for len(calls()) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	is.True(errors.Is(c.ContainerRemove(ctx, "b"), context.DeadlineExceeded)) // no room
	_, err := c.Run(t.Context(), "img", nil, nil)
	is.NoErr(err)             // not counted
	is.Equal(len(calls()), 2) // b was never started
	wg.Wait()
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
