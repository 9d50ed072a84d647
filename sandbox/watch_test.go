package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// next are the changes of one batch in words.
func next(t *testing.T, w *sandbox.Watcher) string {
	t.Helper()
	batch, err := w.Next()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range batch {
		kind := "file"
		if c.IsDir {
			kind = "dir"
		}
		out = append(out, fmt.Sprint(c.Path, " ", kind, " ", c.Kind))
	}
	return strings.Join(out, ", ")
}

func testWatch(t *testing.T, sb *sandbox.Sandbox) {
	is := is.New(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	write := func(name, text string) {
		t.Helper()
		if _, err := sb.WriteFile(ctx, name, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	write("watched/old", "1")
	write("watched/sub/deep/x", "1")
	is.NoErr(sb.MkdirAll(ctx, "watched/node_modules", 0o755))
	w, err := sb.Watch(ctx, "watched", &sandbox.WatchOptions{Exclude: []string{"node_modules", "*.tmp"}, Delay: 100 * time.Millisecond})
	is.NoErr(err)
	defer w.Close()

	write("watched/old", "2") // replaced by a rename
	write("watched/new", "1")
	write("watched/node_modules/m", "1")
	write("watched/x.tmp", "1")
	is.Equal(next(t, w), "new file created, old file modified")
	write("watched/sub/deep/x", "2")
	write("watched/sub/deep/y", "1")
	is.NoErr(sb.Remove(ctx, "watched/sub/deep/y"))
	is.Equal(next(t, w), "sub/deep/x file modified") // what came and went is nobody's business
	is.NoErr(sb.Rename(ctx, "watched/sub", "watched/moved"))
	is.Equal(next(t, w), "moved dir created, moved/deep dir created, moved/deep/x file created, sub dir removed")
	write("watched/moved/deep/x", "3") // by its new name
	is.Equal(next(t, w), "moved/deep/x file modified")
	write("watched/a/b/c/d", "1") // before any of them can be watched
	is.Equal(next(t, w), "a dir created, a/b dir created, a/b/c dir created, a/b/c/d file created")
	is.NoErr(sb.RemoveAll(ctx, "watched/a"))
	is.Equal(next(t, w), "a dir removed, a/b dir removed, a/b/c dir removed, a/b/c/d file removed")
	is.NoErr(sb.Rename(ctx, "watched/moved", "away"))
	is.Equal(next(t, w), "moved dir removed")
	write("away/deep/x", "4") // is not watched any more
	is.NoErr(sb.Chmod(ctx, "watched/new", 0o600))
	is.Equal(next(t, w), "new file modified")

	// A watch that nobody reads keeps the sum, and does not keep the sandbox busy.
	time.Sleep(20 * time.Millisecond)
	is.True(sb.Idle() > 0)
	for i := range 50 {
		write(fmt.Sprint("watched/many", i%5), "1")
	}
	is.True(strings.HasPrefix(next(t, w), "many0 file created, many1 file created, many2 file created"))

	is.NoErr(sb.RemoveAll(ctx, "watched"))
	var end error
	for end == nil {
		_, end = w.Next()
	}
	is.True(errors.Is(end, fs.ErrNotExist)) // the directory is gone
	_, again := w.Next()
	is.Equal(again, end)

	// The ways to give up.
	closed, err := sb.Watch(ctx, "", nil)
	is.NoErr(err)
	time.AfterFunc(20*time.Millisecond, func() { closed.Close() })
	_, err = closed.Next()
	is.True(errors.Is(err, fs.ErrClosed))
	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	timed, err := sb.Watch(short, "", nil)
	is.NoErr(err)
	_, err = timed.Next()
	is.True(errors.Is(err, context.DeadlineExceeded))
}

// Changes that could not be kept are reported as lost, and the watch goes on.
func TestWatchOverflow(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	w, err := sb.Watch(ctx, "", nil)
	is.NoErr(err)
	defer w.Close()
	// More than are kept: 10,000 are, and that some were not is said.
	r, err := sb.Exec(ctx, `i=0; while [ $i -lt 12000 ]; do : > $i; i=$((i+1)); done`)
	is.NoErr(err)
	is.True(r.OK())
	time.Sleep(time.Second) // nobody reads; the batches that are on their way hold some
	lost, seen := false, 0
	for !lost || seen < 10_000 {
		batch, err := w.Next()
		is.NoErr(err)
		seen += len(batch)
		lost = lost || batch[0].Kind == sandbox.ChangesLost
		if seen >= 12_000 && !lost {
			break // all came through, in time
		}
	}
	is.True(lost || seen == 12_000) // nothing is missing without a word
	is.True(seen <= 12_001)
	_, err = sb.WriteFile(ctx, "after", nil, nil)
	is.NoErr(err)
	for found := false; !found; {
		batch, err := w.Next()
		is.NoErr(err)
		for _, c := range batch {
			found = found || c.Path == "after"
		}
	}
}
