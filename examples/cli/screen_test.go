package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestScreen(t *testing.T) {
	for name, c := range map[string]struct {
		output string // "|" ends a write
		want   string
	}{
		"nothing":             {"", ""},
		"text":                {"a\n|b", "a\nb\n"},
		"whole lines":         {"a\n", "a\n"},
		"colour":              {"\x1b[31ma\n", "\x1b[31ma\n" + resetSequence},
		"one byte for two":    {"\x9b31ma\n", "\x9b31ma\n" + resetSequence},
		"another set":         {"\x0ea\n", "\x0ea\n" + resetSequence},
		"drawing":             {"\x1b[?1049h\n", "\x1b[?1049h\n" + leaveAlternate + resetSequence},
		"drawing, in parts":   {"\x1b[?|10|49h\n", "\x1b[?1049h\n" + leaveAlternate + resetSequence},
		"alternate, and back": {"\x1b[?1049h\n\x1b[?1049l\n", "\x1b[?1049h\n\x1b[?1049l\n" + resetSequence},
		"back, in parts":      {"\x1b[?1049hx|\x1b[?1049|l\n", "\x1b[?1049hx\x1b[?1049l\n" + resetSequence},
		"drawing once more":   {"\x1b[?1049h|\x1b[?1049l|\x1b[?1049h\n", "\x1b[?1049h\x1b[?1049l\x1b[?1049h\n" + leaveAlternate + resetSequence},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var b bytes.Buffer
			s := &screen{}
			w := s.writer(&b)
			for part := range strings.SplitSeq(c.output, "|") {
				n, err := w.Write([]byte(part))
				is.NoErr(err)
				is.Equal(n, len(part)) // all of it
			}
			for range 2 { // the second has nothing to do
				s.reset(&b)
				s.freshLine(&b)
			}
			is.Equal(b.String(), c.want) // passed on, then undone
		})
	}
}

func TestTerminalEnv(t *testing.T) {
	is := is.New(t)
	t.Setenv("TERM", "xterm")
	t.Setenv("COLORTERM", "truecolor")
	is.Equal(terminalEnv(nil), []string{"TERM=xterm", "COLORTERM=truecolor"})                  // as it is here
	is.Equal(terminalEnv(map[string]string{"TERM": "vt100"}), []string{"COLORTERM=truecolor"}) // --env wins
	t.Setenv("TERM", "")
	t.Setenv("COLORTERM", "")
	is.Equal(len(terminalEnv(nil)), 0) // the library's default
}
