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

// buildDisplay shows how images are pulled and built: on a terminal in a block of two lines that is
// drawn anew, else in one line for each step. It shows nothing while nothing has to be done.
type buildDisplay struct {
	w       io.Writer
	width   func() int // of the terminal in columns; nil when w is none
	dim     bool       // the builder's lines
	verbose bool       // all lines of the builder, one below the other

	mu    sync.Mutex
	now   image.Progress
	begin time.Time     // of the step
	stop  chan struct{} // ends the clock; nil while nothing is under way
	clock sync.WaitGroup
}

func newBuildDisplay(f *os.File, verbose bool) *buildDisplay {
	d := &buildDisplay{w: f, verbose: verbose, dim: os.Getenv("NO_COLOR") == ""}
	// Where TERM is not set nobody has said that escape sequences are obeyed.
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
		return // the error is the caller's to tell
	}
	if fresh {
		d.start()
	}
	switch {
	case d.width != nil && next:
		d.draw() // lines are drawn by the clock: they come by the hundred
	case d.width != nil:
	case next:
		fmt.Fprintln(d.w, shorten(headline(p), 140))
	case d.verbose && p.Line != "":
		fmt.Fprintln(d.w, "  "+oneLine(p.Line))
	}
}

// close leaves the terminal clean where something that was begun has not been done.
func (d *buildDisplay) close() {
	d.mu.Lock()
	d.end()
	d.mu.Unlock()
	d.clock.Wait()
}

// start has the clock draw, which also shows that a silent step goes on.
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

// draw leaves the cursor where the block begins. For the time of it the terminal wraps no
// lines: what is wider than it looks would shift the next block.
func (d *buildDisplay) draw() {
	elapsed := " (" + time.Since(d.begin).Truncate(time.Second).String() + ")"
	width := max(d.width()-1, 20)
	line := shorten("  "+oneLine(d.now.Line), width)
	if d.dim {
		line = "\x1b[2m" + line + "\x1b[0m"
	}
	fmt.Fprintf(d.w, "\r\x1b[?7l%s%s\x1b[K\r\n%s\x1b[K\x1b[?7h\x1b[A\r", shorten(headline(d.now), width-len(elapsed)), elapsed, line)
}

// headline is "drydock: runtime lab: [3/11] apt: install git".
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

// oneLine is text for a terminal, which must not obey it: commands of a definition span
// lines, and a builder prints what it is told to.
func oneLine(text string) string { return visible(strings.Join(strings.Fields(text), " ")) }

// printTransfer returns what prints a line every few seconds of a transfer that takes long.
func printTransfer(w io.Writer, what string) func(sandbox.TransferProgress) {
	const every = 3 * time.Second
	shown := time.Now()
	return func(p sandbox.TransferProgress) {
		if time.Since(shown) < every {
			return
		}
		shown = time.Now()
		fmt.Fprintf(w, "drydock: %s: %d files and directories, %s\n", what, p.Entries, mebibytes(p.Bytes))
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// shorten cuts text to width characters, the last three of them dots where some are missing.
func shorten(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:max(width-3, 0)]) + "..."
	}
	return text
}
