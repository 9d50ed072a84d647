package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"golang.org/x/term"
)

// buildDisplay shows the progress of pulls and builds: on a terminal in a block of two lines that
// is redrawn, else in a line for each step. If there is nothing to build it shows nothing.
type buildDisplay struct {
	w       io.Writer
	width   func() int // of the terminal in columns; nil if w is none
	dim     bool       // dim the builder's lines
	verbose bool       // print all lines of the builder

	mu    sync.Mutex
	now   image.Progress
	begin time.Time     // of the step
	stop  chan struct{} // ends the clock; nil while nothing is under way
	clock sync.WaitGroup
}

func newBuildDisplay(f *os.File, verbose bool) *buildDisplay {
	d := &buildDisplay{w: f, verbose: verbose, dim: os.Getenv("NO_COLOR") == ""}
	// If TERM is not set the terminal may not know escape sequences.
	if kind := os.Getenv("TERM"); term.IsTerminal(int(f.Fd())) && kind != "" && kind != "dumb" && !verbose {
		d.width = func() int {
			if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
				return columns
			}
			return 80
		}
	}
	return d
}

// show is for image.Builder.Progress.
func (d *buildDisplay) show(p image.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := d.stop == nil || p.Image != d.now.Image
	next := fresh || p.Step != d.now.Step || p.Text != d.now.Text
	if next {
		d.begin = time.Now()
	}
	d.now = p
	if p.Done {
		d.end()
		if p.Err == nil {
			fmt.Fprintf(d.w, "drydock: %s is ready\n", oneLine(p.Image))
		}
		return // the caller prints the error
	}
	if fresh {
		d.start()
	}
	switch {
	case d.width != nil && next:
		d.draw() // the clock draws the lines: there may be hundreds a second
	case d.width != nil:
	case next:
		fmt.Fprintln(d.w, shorten(headline(p), 140))
	case d.verbose && p.Line != "":
		fmt.Fprintln(d.w, "  "+oneLine(p.Line))
	}
}

// close erases the block of a step that was begun and not finished.
func (d *buildDisplay) close() {
	d.mu.Lock()
	d.end()
	d.mu.Unlock()
	d.clock.Wait()
}

// start starts the clock, which redraws the block. So a silent step shows its time.
func (d *buildDisplay) start() {
	d.end()
	stop := make(chan struct{})
	d.stop = stop
	if d.width == nil {
		return
	}
	d.clock.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				d.mu.Lock()
				if d.stop == stop {
					d.draw()
				}
				d.mu.Unlock()
			}
		}
	})
}

// end ends the clock and erases the block.
func (d *buildDisplay) end() {
	if d.stop == nil {
		return
	}
	close(d.stop)
	d.stop = nil
	if d.width != nil {
		fmt.Fprint(d.w, "\r\x1b[J")
	}
}

// draw draws the block and puts the cursor at its beginning. Meanwhile the terminal does not wrap
// lines: a line that is wider than it seems would shift the next block.
func (d *buildDisplay) draw() {
	elapsed := " (" + time.Since(d.begin).Truncate(time.Second).String() + ")"
	width := max(d.width()-1, 20)
	line := shorten("  "+oneLine(d.now.Line), width)
	if d.dim {
		line = "\x1b[2m" + line + "\x1b[0m"
	}
	fmt.Fprintf(d.w, "\r\x1b[?7l%s%s\x1b[K\r\n%s\x1b[K\x1b[?7h\x1b[A\r", shorten(headline(d.now), width-len(elapsed)), elapsed, line)
}

// headline returns a text such as "drydock: runtime lab: [3/11] apt: install git".
func headline(p image.Progress) string {
	text := "drydock: " + oneLine(p.Image)
	if p.Text != "" {
		text += ": "
	}
	if p.Steps > 0 {
		text += fmt.Sprintf("[%d/%d] ", p.Step, p.Steps)
	}
	return text + oneLine(p.Text)
}

// oneLine makes text safe for one line of a terminal. Commands of a definition span lines, and
// packages decide what a builder prints.
func oneLine(text string) string { return visible(strings.Join(strings.Fields(text), " ")) }

// printTransfer returns a function that prints a line every few seconds of a long transfer.
func printTransfer(w io.Writer, action string) func(sandbox.TransferProgress) {
	const interval = 3 * time.Second
	shown := time.Now()
	return func(p sandbox.TransferProgress) {
		if time.Since(shown) < interval {
			return
		}
		shown = time.Now()
		fmt.Fprintf(w, "drydock: %s: %d files and directories, %s\n", action, p.Entries, mebibytes(p.Bytes))
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// shorten cuts text to width characters. The last three are dots if something is missing.
func shorten(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:max(width-3, 0)]) + "..."
	}
	return text
}
