package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Copies have the files of the original and are independent of it and of each other.
func TestFork(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{Env: map[string]string{"SECRET": "s"}})
	fill(t, sb)
	want := listing(t, sb)
	start := time.Now()
	forks, err := sb.Fork(ctx, 5)
	is.NoErr(err)
	t.Logf("5 forks in %v", time.Since(start))
	for i, fork := range forks {
		defer fork.Close()
		is.Equal(listing(t, fork), want)
		_, err := fork.WriteFile(ctx, "mine", fmt.Append(nil, i), nil)
		is.NoErr(err)
	}
	names, users := map[string]bool{}, map[int]bool{}
	for i, fork := range append(forks, sb) {
		names[fork.Name()] = true
		uid, _ := fork.User()
		users[uid] = true
		if fork == sb {
			break
		}
		r, err := fork.Exec(ctx, "cat mine; echo $SECRET")
		is.NoErr(err)
		is.Equal(string(r.Stdout), fmt.Sprint(i, "s\n"))
	}
	is.Equal(len(names), 6)
	is.True(len(users) == 6 || os.Getuid() != 0)
	found, err := sb.Exists(ctx, "mine")
	is.NoErr(err)
	is.True(!found)
	is.NoErr(forks[0].Close())
	is.True(forks[1].Alive())

	canceled, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = sb.Fork(canceled, 8)
	is.True(errors.Is(err, context.DeadlineExceeded))
	_, err = sb.Fork(ctx, 0)
	is.True(errors.Is(err, fs.ErrInvalid))
}
