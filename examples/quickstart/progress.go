package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/drydock-go/drydock/sandbox/image"
)

// printSteps returns a function that prints a line for each step of a pull or a build.
func printSteps(w io.Writer) func(image.Progress) {
	var last image.Progress
	return func(p image.Progress) {
		text := shorten(p.Text, 100)
		switch {
		case p.Done || p.Step == last.Step && p.Text == last.Text:
		case p.Steps == 0:
			fmt.Fprintf(w, "%s: %s\n", p.Image, text)
		default:
			fmt.Fprintf(w, "%s: [%d/%d] %s\n", p.Image, p.Step, p.Steps, text)
		}
		last = p
	}
}

// shorten makes text one line of at most max characters.
func shorten(text string, max int) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) > max {
		r = append(r[:max-1], '…')
	}
	return string(r)
}
