package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lines are the lines that the user types: prompts and answers to questions.
type lines struct {
	terminal bool
	queue    chan string // closed at the end of the input, after err was set
	err      error
}

// newLines reads lines of at most 1 MiB ahead of their use, until ctx ends. A blocked read stays
// behind, because stdin has no deadline.
func newLines(ctx context.Context, r io.Reader, terminal bool) *lines {
	l := &lines{terminal: terminal, queue: make(chan string, 64)}
	go func() {
		defer close(l.queue)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			select {
			case l.queue <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		l.err = s.Err()
	}()
	return l
}

// next returns the next line, or io.EOF.
func (l *lines) next(ctx context.Context) (string, error) {
	select {
	case line, ok := <-l.queue:
		switch {
		case ok:
			return line, nil
		case errors.Is(l.err, bufio.ErrTooLong):
			return "", errors.New("a line of the input is longer than 1 MiB")
		case l.err != nil:
			return "", l.err
		}
		return "", io.EOF
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// forget drops the lines that were typed before now. If the input is no terminal it keeps them:
// they were all written beforehand.
func (l *lines) forget() {
	for l.terminal {
		select {
		case _, ok := <-l.queue:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// visible spells out the characters that a terminal would obey or not show: control characters
// other than line feed and tab, and format characters, such as those that reorder others.
func visible(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '\n', r == '\t':
			b.WriteRune(r)
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// block puts text behind a bar, so that none of its lines looks like one of this program.
func block(text string) string {
	return "  │ " + strings.ReplaceAll(strings.TrimSuffix(visible(text), "\n"), "\n", "\n  │ ") + "\n"
}

// excerpt returns a block of the first and the last lines of a text, each shortened.
func excerpt(text string) string {
	const head, tail, width = 4, 6, 110
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if dropped := len(all) - head - tail; dropped > 1 {
		all = append(append(all[:head:head], fmt.Sprintf("... %d lines ...", dropped)), all[len(all)-tail:]...)
	}
	for i := range all {
		all[i] = shorten(visible(all[i]), width)
	}
	return block(strings.Join(all, "\n"))
}

// shorten cuts text to width characters. The last one is an ellipsis if something is missing.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width-1, 0)]) + "…"
}
