package dockercli

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

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
		c, calls := fake(t, map[string]reply{"run": {Echo: true, Stderr: "e"}})
		var out bytes.Buffer
		in := strings.Repeat("0123456789", 50_000)
		r, err := c.Run(t.Context(), "img", []string{"cat"}, &RunOptions{Stdin: strings.NewReader(in), Stdout: &out})
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
		_, err = c.ContainerList(t.Context(), nil)
		is.True(errors.Is(err, ErrOutput)) // a part of a list is no list
		is.True(strings.HasSuffix(err.Error(), "cannot be used: 1048576 bytes too many"))
	})
}

func TestEngineError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		exit   int
		stderr string
		want   bool
	}{
		{"success", 0, "docker: Error response from daemon: x", false},
		{"command", 125, "my own words\n", false},
		{"engine", 125, "docker: Error response from daemon: No such image: x", true},
		{"without the name", 1, "Error response from daemon: No such container: x", true},
		{"runtime", 127, "OCI runtime error: unable to start", true},
		{"podman", 125, "Error: no such image", true},
		{"after output", 1, "out\nCannot connect to the Docker daemon at x", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			r := &Result{ExitCode: tt.exit, Stderr: []byte(tt.stderr), c: &Client{}, argv: []string{"run", "--"}}
			is.Equal(r.EngineError() != nil, tt.want) // engine's
		})
	}
}
