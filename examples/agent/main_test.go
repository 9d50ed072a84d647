package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestFlags(t *testing.T) {
	t.Run("defaults", func(t *testing.T) {
		is := is.New(t)
		s, err := parse([]string{"draw", "it"}, io.Discard)
		is.NoErr(err)
		is.True(s.model != "")
		s.model = ""
		is.Equal(*s, settings{runtime: "python-datascience", engine: "docker", permissions: "default", out: "out", turns: 50, prompt: "draw it"})
	})
	for _, test := range []struct{ args, want string }{
		{"-permissions all x", "write default"},
		{"-turns 0 x", "-turns 0"},
		{"-engine= x", "-engine is empty"},
		{"-nothing", "nothing"},
	} {
		t.Run(test.args, func(t *testing.T) {
			is := is.New(t)
			var stderr bytes.Buffer
			is.Equal(start(t.Context(), strings.Fields(test.args), "", nil, io.Discard, &stderr), 2) // exit code
			is.True(strings.Contains(stderr.String(), test.want))
		})
	}
	t.Run("help", func(t *testing.T) {
		is := is.New(t)
		is.Equal(start(t.Context(), []string{"-h"}, "", nil, io.Discard, io.Discard), 0)
	})
}

// A prompt that was not answered does not end the conversation, and makes the program fail at its
// end.
func TestREPL(t *testing.T) {
	is := is.New(t)
	_, messages := serve(t, modelAnswer{status: 500, content: `{"type":"error","error":{"type":"api_error","message":"oops"}}`},
		modelAnswer{content: bye, reason: "end_turn"})
	a, out := newAgent(t, messages, &fakeTools{call: text("ok")})
	var stderr bytes.Buffer
	err := repl(t.Context(), a, newLines(t.Context(), strings.NewReader("one\n\ntwo\n"), false), out, &stderr)
	is.True(err != nil)
	is.True(strings.Contains(stderr.String(), "oops"))
	is.True(strings.Contains(out.String(), "bye"))
}
