package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
	"github.com/matryer/is"
)

// Both ways to run the program return its figure. This package imports no decoder of images, as
// a program that uses package tools need not.
func TestJobs(t *testing.T) {
	if os.Getenv(sandboxtest.EnvEngine) == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine")
	}
	for name, job := range map[string]func(context.Context, *sandbox.Sandbox, time.Duration) ([]byte, error){
		"analyse": analyse, "tools": throughTools,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			sb := sandboxtest.New(t, &sandboxtest.Options{Options: sandbox.Options{Runtime: "python-datascience"}})
			figure, err := job(t.Context(), sb, time.Minute)
			is.NoErr(err)
			is.True(strings.HasPrefix(string(figure), "\x89PNG")) // the figure
		})
	}
}
