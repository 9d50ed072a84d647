package dockercli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestBuild(t *testing.T) {
	t.Run("fails", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: infoDocker20}, "build": {
			Echo: true, Stderr: "Step 1/1 : RUN false\nThe command returned a non-zero code: 1\n", Exit: 1}})
		var progress bytes.Buffer
		err := c.Build(t.Context(), strings.NewReader(""), &BuildOptions{Output: &progress})
		e, ok := errors.AsType[*Error](err)
		is.True(ok)                                               // typed
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
}

func TestFailingStep(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"legacy", "Step 1/2 : FROM a\n ---> 1\nStep 2/2 : RUN false\n ---> Running in 2\nThe command '/bin/sh -c false' returned a non-zero code: 1\n",
			"Step 2/2 : RUN false\n ---> Running in 2\nThe command '/bin/sh -c false' returned a non-zero code: 1\n"},
		{"podman", "STEP 1/2: FROM a\nSTEP 2/2: RUN false\nError: building at STEP \"RUN false\": exit status 1\n",
			"STEP 2/2: RUN false\nError: building at STEP \"RUN false\": exit status 1\n"},
		{"buildkit", "#5 [2/2] RUN false\n#5 ERROR: exit code: 1\n------\n > [2/2] RUN false:\n0.1 boom\n------\nERROR: failed to solve\n",
			" > [2/2] RUN false:\n0.1 boom\n------\nERROR: failed to solve\n"},
		{"none", "boom", "boom"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(failingStep(tt.in), tt.want) // the step
		})
	}
}
