package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/drydock-go/drydock/sandbox"
	"golang.org/x/term"
)

// rawTerminal is this process's terminal while every key goes to somebody else.
type rawTerminal struct {
	fd     int
	cooked *term.State
	once   sync.Once
}

// makeRaw takes the terminal f. Whoever does must restore it, whatever happens.
func makeRaw(f *os.File) (*rawTerminal, error) {
	fd := int(f.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return &rawTerminal{fd: fd, cooked: state}, nil
}

// restore puts the terminal back as it was. It may be called any number of times.
func (t *rawTerminal) restore() {
	// A terminal that cannot be restored is one that is gone.
	t.once.Do(func() { _ = term.Restore(t.fd, t.cooked) })
}

// runTerminal runs the command with this process's terminal as its own.
func runTerminal(ctx context.Context, cmd *sandbox.Command) (*sandbox.Result, error) {
	fd := int(os.Stdin.Fd())
	size := func() (s sandbox.Size) {
		// One without a size has 0 rows, and programs then choose.
		if cols, rows, err := term.GetSize(fd); err == nil {
			s = sandbox.Size{Rows: uint16(rows), Cols: uint16(cols)}
		}
		return s
	}
	first := size()
	out := &screen{}
	cmd.Terminal, cmd.Stdin, cmd.Stdout = &first, os.Stdin, out.writer(os.Stdout)

	// Before the terminal is raw: a signal must find somebody who restores it.
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, terminalSignals...)
	defer signal.Stop(ending)
	resized := make(chan os.Signal, 1)
	if resizeSignal != nil {
		signal.Notify(resized, resizeSignal)
		defer signal.Stop(resized)
	}
	raw, err := makeRaw(os.Stdin)
	if err != nil {
		return nil, err
	}
	restore := func() {
		out.reset(os.Stdout)
		raw.restore()
	}
	defer restore()
	if err := cmd.Start(ctx); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		defer restore() // of a panic here main knows nothing
		for count := 0; ; {
			select {
			case <-resized:
				// The command may have ended meanwhile.
				_ = cmd.Resize(size())
			case s := <-ending:
				// The first one ended ctx. Whoever sends another does not want to wait.
				if count++; count > 1 {
					restore()
					os.Exit(exitSignal + int(s.(syscall.Signal)))
				}
			case <-over:
				return
			}
		}
	}()
	r, err := cmd.Wait()
	restore()
	if err != nil || r.Outcome != sandbox.Exited {
		out.freshLine(os.Stdout) // for what there is to say
	}
	return r, err
}

// terminalEnv tells a program inside what the terminal understands, where env does not.
func terminalEnv(env map[string]string) (more []string) {
	for _, name := range []string{"TERM", "COLORTERM"} {
		if value := os.Getenv(name); value != "" && env[name] == "" {
			more = append(more, name+"="+value)
		}
	}
	return more
}

// screen is what has to be known of the output on a terminal when it ends.
type screen struct {
	mu      sync.Mutex
	midLine bool // something stands on the last line
	steered bool // bytes came that a terminal may have obeyed
	drawing bool // on the alternate screen
	tail    []byte
}

// writer returns one that passes everything on to w. Those of one screen take turns.
func (s *screen) writer(w io.Writer) io.Writer { return &screenWriter{s, w} }

type screenWriter struct {
	*screen
	w io.Writer
}

func (w *screenWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.see(p)
	return w.w.Write(p)
}

// What programs that draw write first and last: they save the cursor and go to the
// alternate screen, and undo both.
const enterDrawing, leaveDrawing = "\x1b[?1049h", "\x1b[?1049l"

func (s *screen) see(p []byte) {
	if len(p) == 0 {
		return
	}
	s.midLine = p[len(p)-1] != '\n'
	// Escape, shift out, and the byte that some terminals take for escape and [.
	s.steered = s.steered || bytes.ContainsAny(p, "\x1b\x0e") || bytes.IndexByte(p, 0x9b) >= 0
	recent := append(s.tail, p...)
	enter, leave := bytes.LastIndex(recent, []byte(enterDrawing)), bytes.LastIndex(recent, []byte(leaveDrawing))
	if enter != leave {
		s.drawing = enter > leave
	}
	s.tail = append([]byte(nil), recent[max(0, len(recent)-len(enterDrawing)+1):]...)
}

// sane ends what a program that was killed or hostile may have left on: the alternate
// screen, mouse and focus reports, bracketed paste, a scroll region (which moves the
// cursor), insert, keypad and cursor key modes, another character set, colours, and a
// hidden cursor.
const sane = "\x1b[?1047l\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l" +
	"\x1b[?2004l\x1b7\x1b[r\x1b8\x1b[?7h\x1b[4l\x1b[?1l\x1b>\x1b(B\x0f\x1b[0m\x1b[?25h"

// reset makes the terminal w sane, once after output that may have changed it.
func (s *screen) reset(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := w.(*os.File); s.steered && (!ok || term.IsTerminal(int(f.Fd()))) {
		// Nothing is left to do about a terminal that takes no more.
		if s.drawing {
			// Only then: where the cursor was not saved it would jump.
			_, _ = io.WriteString(w, leaveDrawing)
		}
		_, _ = io.WriteString(w, sane)
	}
	s.steered, s.drawing, s.tail = false, false, nil
}

// freshLine ends the line that the output stopped in.
func (s *screen) freshLine(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.midLine {
		_, _ = io.WriteString(w, "\n")
	}
	s.midLine = false
}
