package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Lines are returned by number, with their ends, within the limits.
func TestReadLines(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	write := func(name, text string) {
		t.Helper()
		if _, err := sb.WriteFile(ctx, name, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	write("five", "1\n2\r\n3\n4\n5")
	write("empty", "")
	write("ended", "a\nb\n")
	write("long", strings.Repeat("x", 200_000)+"\nend\n")
	for _, test := range []struct {
		name, file string
		opts       *sandbox.LineOptions
		text       string
		first, n   int
		total      int
		cut        bool
	}{
		{"all", "five", nil, "1\n2\r\n3\n4\n5", 1, 5, 5, false},
		{"range", "five", &sandbox.LineOptions{First: 2, Count: 2}, "2\r\n3\n", 2, 2, 5, false},
		{"past the end", "five", &sandbox.LineOptions{First: 9}, "", 9, 0, 5, false},
		{"cut", "five", &sandbox.LineOptions{MaxBytes: 6}, "1\n2\r\n3", 1, 3, 5, true},
		{"empty", "empty", nil, "", 1, 0, 0, false},
		{"ended", "ended", nil, "a\nb\n", 1, 2, 2, false},
		{"long line", "long", &sandbox.LineOptions{First: 2}, "end\n", 2, 1, 2, false},
		{"all of a long one", "long", nil, strings.Repeat("x", 200_000) + "\nend\n", 1, 2, 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			l, err := sb.ReadLines(ctx, test.file, test.opts)
			is.NoErr(err)
			is.True(string(l.Text) == test.text)
			is.Equal(l.First, test.first)
			is.Equal(l.Count, test.n)
			is.Equal(l.Total, test.total)
			is.Equal(l.Cut, test.cut)
			is.Equal(len(l.Hash), 64)
		})
	}
	is := is.New(t)
	_, err := sb.ReadLines(ctx, "five", &sandbox.LineOptions{First: -1})
	is.True(errors.Is(err, fs.ErrInvalid))
	_, err = sb.ReadLines(ctx, "none", nil)
	is.True(errors.Is(err, fs.ErrNotExist))
}

// An edit replaces what it names or changes nothing, and two at once do not undo each other.
func TestEdit(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	t.Run("one", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.WriteFile(ctx, "f", []byte("a\nb\xff\nc\n"), &sandbox.WriteOptions{Mode: 0o750})
		is.NoErr(err)
		r, err := sb.Edit(ctx, "f", "b\xff", "B\x00", nil)
		is.NoErr(err)
		is.Equal(r.Count, 1)
		is.Equal(r.Line, 2)
		b, err := sb.ReadFile(ctx, "f", nil)
		is.NoErr(err)
		is.Equal(string(b), "a\nB\x00\nc\n")
		info, err := sb.Stat(ctx, "f")
		is.NoErr(err)
		is.Equal(info.Mode(), fs.FileMode(0o750)) // kept
		l, err := sb.ReadLines(ctx, "f", nil)
		is.NoErr(err)
		is.Equal(l.Hash, r.Hash)
	})
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.WriteFile(ctx, "f", []byte("x x x"), nil)
		is.NoErr(err)
		_, err = sb.Edit(ctx, "f", "y", "z", nil)
		is.True(errors.Is(err, sandbox.ErrNoMatch))
		is.Equal(err.Error(), "edit f: the text to replace is not in /workspace/f")
		_, err = sb.Edit(ctx, "f", "x", "z", nil)
		is.True(errors.Is(err, sandbox.ErrManyMatches))
		is.Equal(err.Error(), "edit f: the text to replace is 3 times in /workspace/f (line 1): give more of the text around the one that is meant, or replace all")
		_, err = sb.Edit(ctx, "f", "x", "z", &sandbox.EditOptions{All: true, IfHash: "stale"})
		is.True(errors.Is(err, sandbox.ErrChanged))
		_, err = sb.Edit(ctx, "f", "", "z", nil)
		is.True(errors.Is(err, fs.ErrInvalid))
		_, err = sb.Edit(ctx, "none", "a", "b", nil)
		is.True(errors.Is(err, fs.ErrNotExist))
		b, err := sb.ReadFile(ctx, "f", nil)
		is.NoErr(err)
		is.Equal(string(b), "x x x") // untouched by all of them
		r, err := sb.Edit(ctx, "f", "x", "z", &sandbox.EditOptions{All: true})
		is.NoErr(err)
		is.Equal(r.Count, 3)
	})
	t.Run("at once", func(t *testing.T) {
		is := is.New(t)
		var text strings.Builder
		for i := range 50 {
			fmt.Fprintf(&text, "<%d>\n", i)
		}
		_, err := sb.WriteFile(ctx, "many", []byte(text.String()), nil)
		is.NoErr(err)
		var wg sync.WaitGroup
		errs := make([]error, 50)
		for i := range errs {
			wg.Go(func() { _, errs[i] = sb.Edit(ctx, "many", fmt.Sprintf("<%d>", i), fmt.Sprintf("(%d)", i), nil) })
		}
		wg.Wait()
		is.NoErr(errors.Join(errs...))
		b, err := sb.ReadFile(ctx, "many", nil)
		is.NoErr(err)
		is.Equal(string(b), strings.NewReplacer("<", "(", ">", ")").Replace(text.String())) // none undid another
	})
}

// RealPath resolves symlinks and "..", also of names that do not exist.
func TestRealPath(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	r, err := sb.Exec(ctx, "mkdir -p a/b; touch a/b/f; ln -s a/b link; ln -s /nowhere/x dangling; ln -s loop loop; ln -s ../.. a/b/up")
	if err != nil || !r.OK() {
		t.Fatal(err, r)
	}
	for name, want := range map[string]string{
		"":                "/workspace",
		"a/b/f":           "/workspace/a/b/f",
		"link/f":          "/workspace/a/b/f",
		"link/../f":       "/workspace/a/f", // as the kernel goes, not as it is written
		"./a//b/./f":      "/workspace/a/b/f",
		"dangling":        "/nowhere/x",
		"dangling/y":      "/nowhere/x/y",
		"new/er":          "/workspace/new/er",
		"link/new":        "/workspace/a/b/new",
		"link/up/a":       "/workspace/a",
		"../etc/../tmp":   "/tmp",
		"/workspace/link": "/workspace/a/b",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := sb.RealPath(ctx, name)
			is.NoErr(err)
			is.Equal(got, want)
		})
	}
	is := is.New(t)
	_, err = sb.RealPath(ctx, "loop")
	is.True(err != nil)
	ok, err := sb.Exists(ctx, "dangling")
	is.NoErr(err)
	is.True(ok)
	ok, err = sb.Exists(ctx, "a/b/f/g")
	is.NoErr(err)
	is.True(!ok)
}
