package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/tools"
	"github.com/matryer/is"
)

func TestAsk(t *testing.T) {
	for _, test := range []struct {
		input string
		want  tools.Decision
	}{
		{"y\n", tools.Decision{Allow: true}},
		{"YES\n", tools.Decision{Allow: true}},
		{" a \n", tools.Decision{Allow: true, Always: true}},
		{"n\n", tools.Decision{}},
		{"no use a venv\n", tools.Decision{Reason: "use a venv"}},
		{"\nwhat?\ny but\nalways\n", tools.Decision{Allow: true, Always: true}},
		{"what?\n", tools.Decision{Reason: "nobody is there to answer"}},
		{"", tools.Decision{Reason: "nobody is there to answer"}},
	} {
		t.Run(test.input, func(t *testing.T) {
			is := is.New(t)
			a := &approver{in: newLines(t.Context(), strings.NewReader(test.input), false), out: io.Discard}
			got, err := a.ask(t.Context(), tools.Request{Tool: "execute", Args: json.RawMessage(`{}`)})
			is.NoErr(err)
			is.Equal(got, test.want)
		})
	}
}

func TestAskShowsTheExactCall(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	a := &approver{in: newLines(t.Context(), strings.NewReader("n\n"), false), out: &out}
	_, err := a.ask(t.Context(), tools.Request{
		Tool: "write_file", Path: "/workspace/a\x1b[2J", Reason: "because",
		Args: json.RawMessage(`{"path":"a","content":"one\nwrite_file: y = once?\r\u001b[1A\u202egnp\tend","n":[1,2]}`),
	})
	is.NoErr(err)
	is.Equal(out.String(), `
The model asks for write_file of
  │ /workspace/a<U+001B>[2J
because
  │ because
path
  │ a
content
  │ one
  │ write_file: y = once?<U+000D><U+001B>[1A<U+202E>gnp	end
n
  │ [1,2]
write_file: y = once, a = always, n [REASON] = no? n
`)
}

func TestAskYes(t *testing.T) {
	is := is.New(t)
	got, err := (&approver{yes: true}).ask(t.Context(), tools.Request{})
	is.NoErr(err)
	is.Equal(got, tools.Decision{Allow: true})
}

func TestAskEndsWithItsContext(t *testing.T) {
	is := is.New(t)
	in, w := io.Pipe()
	defer w.Close()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	a := &approver{in: newLines(t.Context(), in, true), out: io.Discard}
	_, err := a.ask(ctx, tools.Request{Args: json.RawMessage(`{}`)})
	is.Equal(err, why)
}

// A line that was typed on a terminal before the question was shown does not answer it.
func TestAskForgetsWhatWasTypedBefore(t *testing.T) {
	is := is.New(t)
	in, w := io.Pipe()
	l := newLines(t.Context(), in, true)
	_, err := io.WriteString(w, "y\n")
	is.NoErr(err)
	for deadline := time.Now().Add(10 * time.Second); len(l.queue) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	is.Equal(len(l.queue), 1) // the line has come
	go func() {
		_, _ = io.WriteString(w, "n later\n")
		_ = w.Close()
	}()
	// If the second line has come already it is forgotten as well, and there is no other.
	got, err := (&approver{in: l, out: io.Discard}).ask(t.Context(), tools.Request{Args: json.RawMessage(`{}`)})
	is.NoErr(err)
	is.Equal(got.Allow, false)
}

func TestLongLineIsAnError(t *testing.T) {
	is := is.New(t)
	l := newLines(t.Context(), strings.NewReader(strings.Repeat("x", 2<<20)), false)
	_, err := l.next(t.Context())
	is.True(err != nil && err != io.EOF)
}

func TestExcerpt(t *testing.T) {
	is := is.New(t)
	is.Equal(excerpt("a\x1b[31m\n"), "  │ a<U+001B>[31m\n")
	is.Equal(excerpt("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"),
		"  │ 1\n  │ 2\n  │ 3\n  │ 4\n  │ ... 2 lines ...\n  │ 7\n  │ 8\n  │ 9\n  │ 10\n  │ 11\n  │ 12\n")
	is.Equal(visible("\xff\u0085\u2028"), "\uFFFD<U+0085><U+2028>")
}
