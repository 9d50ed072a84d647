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

// rawTerminal is this process's terminal while every key goes to the program inside.
type rawTerminal struct {
	fd     int
	cooked *term.State
	once   sync.Once
}

// makeRaw makes the terminal f raw. The caller must restore it, whatever happens.
func makeRaw(f *os.File) (*rawTerminal, error) {
	fd := int(f.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return &rawTerminal{fd: fd, cooked: state}, nil
}

// restore restores the terminal. It may be called any number of times.
func (t *rawTerminal) restore() {
	// Restoring fails only if the terminal is gone.
	t.once.Do(func() { _ = term.Restore(t.fd, t.cooked) })
}

// runTerminal runs the command with this process's terminal as its own.
func runTerminal(ctx context.Context, cmd *sandbox.Command) (*sandbox.Result, error) {
	fd := int(os.Stdin.Fd())
	size := func() (s sandbox.Size) {
		// A terminal without a size has 0 rows, and programs then choose a size.
		if cols, rows, err := term.GetSize(fd); err == nil {
			s = sandbox.Size{Rows: uint16(rows), Cols: uint16(cols)}
		}
		return s
	}
	first := size()
	out := &screen{}
	cmd.Terminal, cmd.Stdin, cmd.Stdout = &first, os.Stdin, out.writer(os.Stdout)

	// Before the terminal is raw, so that every signal restores it.
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
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer restore() // a panic here does not run the defers of the caller
		for count := 0; ; {
			select {
			case <-resized:
				// The command may have ended meanwhile.
				_ = cmd.Resize(size())
			case s := <-ending:
				// The first signal ended ctx. After a second one nothing is waited for.
				if count++; count > 1 {
					restore()
					os.Exit(exitSignal + int(s.(syscall.Signal)))
				}
			case <-done:
				return
			}
		}
	}()
	r, err := cmd.Wait()
	restore()
	if err != nil || r.Outcome != sandbox.Exited {
		out.freshLine(os.Stdout) // for the message that follows
	}
	return r, err
}

// terminalEnv returns the variables that describe the terminal, unless env sets them.
func terminalEnv(env map[string]string) (more []string) {
	for _, name := range []string{"TERM", "COLORTERM"} {
		if value := os.Getenv(name); value != "" && env[name] == "" {
			more = append(more, name+"="+value)
		}
	}
	return more
}

// screen is the state that output leaves a terminal in.
type screen struct {
	mu        sync.Mutex
	midLine   bool // the last line has no end
	dirty     bool // bytes came that a terminal may have obeyed
	alternate bool // on the alternate screen
	tail      []byte
}

// writer returns a writer that passes everything on to w. The writers of a screen take turns.
func (s *screen) writer(w io.Writer) io.Writer { return &screenWriter{s, w} }

type screenWriter struct {
	*screen
	w io.Writer
}

func (w *screenWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observe(p)
	return w.w.Write(p)
}

// Programs such as vi write enterAlternate first, which saves the cursor and shows the alternate
// screen, and leaveAlternate last, which undoes both.
const enterAlternate, leaveAlternate = "\x1b[?1049h", "\x1b[?1049l"

func (s *screen) observe(p []byte) {
	if len(p) == 0 {
		return
	}
	s.midLine = p[len(p)-1] != '\n'
	// Escape, shift out, and the byte that some terminals take for escape and [.
	s.dirty = s.dirty || bytes.ContainsAny(p, "\x1b\x0e") || bytes.IndexByte(p, 0x9b) >= 0
	recent := append(s.tail, p...)
	enter, leave := bytes.LastIndex(recent, []byte(enterAlternate)), bytes.LastIndex(recent, []byte(leaveAlternate))
	if enter != leave {
		s.alternate = enter > leave
	}
	s.tail = append([]byte(nil), recent[max(0, len(recent)-len(enterAlternate)+1):]...)
}

// resetSequence ends the modes that a killed or hostile program may have left on: the alternate
// screen, mouse and focus reports, bracketed paste, a scroll region (which moves the
// cursor), insert, keypad and cursor key modes, another character set, colours, and a
// hidden cursor.
const resetSequence = "\x1b[?1047l\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l" +
	"\x1b[?2004l\x1b7\x1b[r\x1b8\x1b[?7h\x1b[4l\x1b[?1l\x1b>\x1b(B\x0f\x1b[0m\x1b[?25h"

// reset resets the terminal w, once after output that may have changed it.
func (s *screen) reset(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := w.(*os.File); s.dirty && (!ok || term.IsTerminal(int(f.Fd()))) {
		// Nothing can be done about a terminal that takes no more output.
		if s.alternate {
			// If the cursor was not saved, this would move it.
			_, _ = io.WriteString(w, leaveAlternate)
		}
		_, _ = io.WriteString(w, resetSequence)
	}
	s.dirty, s.alternate, s.tail = false, false, nil
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
