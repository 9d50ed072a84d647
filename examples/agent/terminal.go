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

// lines are what the user writes, for the prompts and the approvals.
type lines struct {
	terminal bool
	queue    chan string // closed at the end, after err was set
	err      error
}

// newLines reads lines of at most 1 MiB ahead of those who ask, until ctx ends. A read that
// blocks is left behind: stdin has no deadline.
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

// forget drops what was typed before now. What is no terminal was written beforehand anyway.
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

// visible spells out what a terminal would obey or not show: control characters but line
// feed and tab, and format characters, some of which change the order of others.
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

// block is text behind a bar, so that none of its lines looks like one of this program's.
func block(text string) string {
	return "  │ " + strings.ReplaceAll(strings.TrimSuffix(visible(text), "\n"), "\n", "\n  │ ") + "\n"
}

// excerpt is a block of the first and the last lines of a text, each cut.
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

// shorten cuts text to width characters, the last of them an ellipsis where some are missing.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width-1, 0)]) + "…"
}
