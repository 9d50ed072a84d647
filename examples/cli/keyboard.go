package main

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

// errDropped means that Ctrl-C was pressed at the prompt.
var errDropped = errors.New("interrupted")

// keyboard reads lines that a person edits. The terminal is raw only during a read.
type keyboard struct {
	in, out *os.File
	keys    keys
	line    *term.Terminal
	history term.History
}

// keys reads one byte at a time, so that keys which were typed ahead stay in the terminal. They
// are for the next prompt, and while code runs Ctrl-C has to be a signal.
type keys struct {
	in   *os.File
	last byte
}

func (k *keys) Read(p []byte) (int, error) {
	n, err := k.in.Read(p[:min(1, len(p))])
	if n > 0 {
		k.last = p[0]
	}
	return n, err
}

// distinctHistory is a history without empty lines and repeated lines.
type distinctHistory struct{ term.History }

func (h distinctHistory) Add(line string) {
	if line != "" && (h.Len() == 0 || h.At(0) != line) {
		h.History.Add(line)
	}
}

const ctrlC = 3

// newKeyboard returns a keyboard for the terminal in, with its prompts on out.
func newKeyboard(in, out *os.File) *keyboard {
	return &keyboard{in: in, out: out, keys: keys{in: in}}
}

// open makes a line editor. After Ctrl-C a new one is needed.
func (k *keyboard) open() {
	k.line = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&k.keys, k.out}, "")
	if k.history == nil {
		k.history = distinctHistory{k.line.History}
	}
	k.line.History = k.history
	k.line.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		const indent = "    "
		return line[:pos] + indent + line[pos:], pos + len(indent), key == '\t'
	}
}

// ask shows the prompt and returns a line, and whether all of it was pasted. The error is io.EOF
// after Ctrl-D, errDropped after Ctrl-C, and the cause of ctx if that ends. The blocked read then
// stays behind.
func (k *keyboard) ask(ctx context.Context, prompt string) (line string, pasted bool, err error) {
	if k.line == nil {
		k.open()
	}
	raw, err := makeRaw(k.in)
	if err != nil {
		return "", false, err
	}
	defer raw.restore()
	if cols, rows, err := term.GetSize(int(k.in.Fd())); err == nil && cols > 0 && rows > 0 {
		_ = k.line.SetSize(cols, rows) // always nil
	}
	k.line.SetPrompt(prompt)
	if name := os.Getenv("TERM"); name != "" && name != "dumb" {
		k.line.SetBracketedPasteMode(true)
		defer k.line.SetBracketedPasteMode(false)
	}
	done := make(chan struct{})
	go func() {
		defer raw.restore() // a panic here does not run the defers of the caller
		line, err = k.line.ReadLine()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
	switch {
	case errors.Is(err, term.ErrPasteIndicator):
		return line, true, nil
	case err == io.EOF && k.keys.last == ctrlC:
		k.line = nil
		return "", false, errDropped
	}
	return line, false, err
}
