package main

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/matryer/is"
)

const aptStep = "apt: install git curl"

func TestLine(t *testing.T) {
	for name, c := range map[string]struct {
		p     sandbox.Progress
		after time.Duration
		width int
		want  string
	}{
		"pull":   {sandbox.Progress{Text: "pull debian:12"}, 0, 79, "pull debian:12 (0s)"},
		"before": {sandbox.Progress{Image: "runtime lab", Line: "Sending build context"}, 0, 79, "runtime lab (0s)  Sending build context"},
		"step":   {sandbox.Progress{Step: 3, Steps: 11, Text: aptStep}, 42900 * time.Millisecond, 79, "[3/11] apt: install git curl (42s)"},
		"output": {sandbox.Progress{Step: 3, Steps: 11, Text: aptStep, Line: "Unpacking git"}, time.Minute, 79, "[3/11] apt: install git curl (1m0s)  Unpacking git"},
		"long":   {sandbox.Progress{Step: 1, Steps: 2, Text: "RUN " + strings.Repeat("é", 99), Line: "Unpacking git and its documentation"}, 0, 50, "[1/2] RUN " + strings.Repeat("é", 19) + "… (0s)  Unpacking gi…"},
		"narrow": {sandbox.Progress{Step: 1, Steps: 2, Text: "FROM debian", Line: "Unpacking"}, 0, 20, "[1/2] FROM … (0s)"},
		"tiny":   {sandbox.Progress{Step: 1, Steps: 2, Text: "FROM debian"}, 0, 1, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got := line(c.p, c.after, c.width)
			is.Equal(got, c.want)                           // line
			is.True(utf8.RuneCountInString(got) <= c.width) // within the width
		})
	}
}

// A terminal is only known by its device, so these have the width set.
func TestDisplay(t *testing.T) {
	events := []sandbox.Progress{
		{Image: "runtime lab", Line: "begun"},
		{Image: "runtime lab", Text: "pull debian:12"},
		{Image: "runtime lab", Text: "pull debian:12", Line: "12: Pulling"},
		{Image: "runtime lab", Step: 1, Steps: 2, Text: "FROM debian:12"},
		{Image: "runtime lab", Step: 2, Steps: 2, Text: aptStep},
		{Image: "runtime lab", Step: 2, Steps: 2, Text: aptStep, Line: "Unpacking git"},
	}
	play := func(width int, last sandbox.Progress) string {
		var b strings.Builder
		d := &display{w: &b, width: width}
		for _, p := range append(events, last) {
			d.show(p)
		}
		d.close()
		return b.String()
	}
	built := events[5]
	built.Line, built.Done = "", true
	failed := built
	failed.Err = errors.New("no space left")

	t.Run("no terminal", func(t *testing.T) {
		is := is.New(t)
		const steps = "building the image of runtime lab, which happens once\npull debian:12\n[1/2] FROM debian:12\n[2/2] apt: install git curl\n"
		is.Equal(play(0, built), steps+"runtime lab is ready (0s)\n\n") // a line for each step
		is.Equal(play(0, failed), steps)                                // the error is shown by main
	})
	t.Run("terminal", func(t *testing.T) {
		is := is.New(t)
		got := play(80, built)
		is.True(strings.Contains(got, "\r\x1b[?7lruntime lab (0s)  begun\x1b[K"))                                 // before the first step
		is.Equal(strings.Count(got, "\n"), 3)                                                                     // all steps in one line
		is.True(strings.Contains(got, "\r\x1b[?7l[2/2] apt: install git curl (0s)  Unpacking git\x1b[K\x1b[?7h")) // redrawn
		is.True(strings.HasSuffix(got, "\r\x1b[Kruntime lab is ready (0s)\n\n"))                                  // and replaced at the end
		is.True(strings.HasSuffix(play(80, failed), "\r\x1b[K"))                                                  // clean for the error
	})
	t.Run("interrupted", func(t *testing.T) {
		is := is.New(t)
		is.True(strings.HasSuffix(play(80, events[5]), "\r\x1b[K")) // clean for the error
	})
	t.Run("nothing to build", func(t *testing.T) {
		is := is.New(t)
		var b strings.Builder
		(&display{w: &b, width: 80}).close()
		is.Equal(b.String(), "") // silent
	})
}
