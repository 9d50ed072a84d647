package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox"
)

// display shows how an image is built: on a terminal in one line that is drawn anew, else in
// one line for each step. It shows nothing when nothing has to be built.
type display struct {
	w     io.Writer
	width int // of the terminal in columns; 0 when w is none

	mu    sync.Mutex
	now   sandbox.Progress
	begin time.Time     // of the whole
	step  time.Time     // of the step
	stop  chan struct{} // ends the clock; nil while there is none
	clock sync.WaitGroup
}

func newDisplay(f *os.File) *display {
	d := &display{w: f}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		// Terminals clip what is wider, see draw, so a guess will do.
		columns, _ := strconv.Atoi(os.Getenv("COLUMNS"))
		d.width = cmp.Or(max(columns, 0), 80)
	}
	return d
}

// show is what sandbox.Options.Progress is set to.
func (d *display) show(p sandbox.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.begin.IsZero() {
		d.begin, d.step = now, now
		fmt.Fprintf(d.w, "building the image of %s, which happens once\n", p.Image)
		if d.width > 0 {
			d.start()
		}
	}
	if p.Step != d.now.Step || p.Text != d.now.Text {
		d.step = now
		if d.width == 0 && !p.Done && p.Text != "" {
			fmt.Fprintln(d.w, shorten(step(p), 120))
		}
	}
	d.now = p
	switch {
	case p.Done && p.Err == nil:
		d.erase()
		fmt.Fprintf(d.w, "%s is ready (%v)\n\n", p.Image, now.Sub(d.begin).Round(time.Second))
	case p.Done:
		d.erase() // the error tells what happened
	default:
		d.draw()
	}
}

// start draws the line every second, too, so that a silent step is seen to go on.
func (d *display) start() {
	stop := make(chan struct{})
	d.stop = stop
	d.clock.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				d.mu.Lock()
				if !d.now.Done {
					d.draw()
				}
				d.mu.Unlock()
			}
		}
	})
}

// close ends the clock and leaves the terminal clean.
func (d *display) close() {
	d.mu.Lock()
	if d.stop != nil {
		close(d.stop)
		d.stop = nil
		if !d.now.Done {
			d.erase()
		}
	}
	d.mu.Unlock()
	d.clock.Wait()
}

// draw switches the terminal's line wrap off for the line, which else would spill over where
// the terminal is narrower than it was taken for.
func (d *display) draw() {
	if d.width > 0 {
		fmt.Fprintf(d.w, "\r\x1b[?7l%s\x1b[K\x1b[?7h", line(d.now, time.Since(d.step), d.width-1))
	}
}

func (d *display) erase() {
	if d.width > 0 {
		fmt.Fprint(d.w, "\r\x1b[K")
	}
}

// line is the step, its time, and in the rest of the width the last line of output.
func line(p sandbox.Progress, elapsed time.Duration, width int) string {
	text := shorten(step(p), width*3/5) + fmt.Sprintf(" (%v)", elapsed.Truncate(time.Second))
	if rest := width - utf8.RuneCountInString(text) - 2; rest > 10 && p.Line != "" {
		text += "  " + shorten(p.Line, rest)
	}
	return shorten(text, width)
}

// step is "[3/11] apt: install ...".
func step(p sandbox.Progress) string {
	if p.Steps == 0 {
		return cmp.Or(p.Text, p.Image)
	}
	return fmt.Sprintf("[%d/%d] %s", p.Step, p.Steps, p.Text)
}

// shorten cuts text to width characters, the last of them an ellipsis where some are missing.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width-1, 0)]) + "…"
}
