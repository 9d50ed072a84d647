package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/matryer/is"
)

func TestPrintProgress(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	show := printProgress(&b)
	p := sandbox.Progress{Image: "runtime lab", Text: "pull debian:12"}
	show(p)
	p.Line = "Pulling from library/debian"
	show(p)
	p.Step, p.Steps, p.Text = 1, 2, "FROM debian:12"
	show(p)
	p.Step, p.Text = 2, "RUN "+strings.Repeat("x", 200)
	show(p)
	p.Line = "more of the step"
	show(p)
	p.Done = true
	show(p)
	is.Equal(b.String(), "drydock: runtime lab: pull debian:12\n"+
		"drydock: runtime lab: [1/2] FROM debian:12\n"+
		"drydock: runtime lab: [2/2] RUN "+strings.Repeat("x", 93)+"...\n"+
		"drydock: runtime lab is ready\n") // a line for each step
	b.Reset()
	p.Err = errors.New("no space")
	show(p)
	is.Equal(b.String(), "") // the error is the caller's to show
}
