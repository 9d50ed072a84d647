package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/matryer/is"
)

func TestPrintSteps(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	print := printSteps(&out)
	for _, p := range []image.Progress{
		{Image: "runtime lab", Text: "pull debian:12"},
		{Image: "runtime lab", Step: 1, Steps: 2, Text: "apt: install git"},
		{Image: "runtime lab", Step: 1, Steps: 2, Text: "apt: install git", Line: "Unpacking git"},
		{Image: "runtime lab", Step: 2, Steps: 2, Text: "setup: echo a\n\techo b " + strings.Repeat("é", 99)},
		{Image: "runtime lab", Step: 2, Steps: 2, Done: true},
	} {
		print(p)
	}
	is.Equal(out.String(), "runtime lab: pull debian:12\n"+
		"runtime lab: [1/2] apt: install git\n"+
		"runtime lab: [2/2] setup: echo a echo b "+strings.Repeat("é", 78)+"…\n")
}
