package main

import (
	"fmt"
	"io"
	"time"

	"github.com/drydock-go/drydock/sandbox"
)

// printProgress returns what prints one line for each step of a build.
func printProgress(w io.Writer) func(sandbox.Progress) {
	var last sandbox.Progress
	return func(p sandbox.Progress) {
		switch {
		case p.Done && p.Err == nil:
			fmt.Fprintf(w, "drydock: %s is ready\n", p.Image)
		case p.Done || p.Step == last.Step && p.Text == last.Text:
		case p.Steps == 0:
			fmt.Fprintf(w, "drydock: %s: %s\n", p.Image, shorten(p.Text, 100))
		default:
			fmt.Fprintf(w, "drydock: %s: [%d/%d] %s\n", p.Image, p.Step, p.Steps, shorten(p.Text, 100))
		}
		last = p
	}
}

// printTransfer returns what prints a line every few seconds of a transfer that takes long.
func printTransfer(w io.Writer, what string) func(sandbox.TransferProgress) {
	const every = 3 * time.Second
	shown := time.Now()
	return func(p sandbox.TransferProgress) {
		if time.Since(shown) < every {
			return
		}
		shown = time.Now()
		fmt.Fprintf(w, "drydock: %s: %d files and directories, %.1f MiB\n", what, p.Entries, float64(p.Bytes)/(1<<20))
	}
}

// shorten cuts text to width characters, the last three of them dots where some are missing.
func shorten(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:width-3]) + "..."
	}
	return text
}
