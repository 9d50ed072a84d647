package sandbox_test

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Rollback ends all that runs and empties the directories, whatever their modes.
func TestRollbackEnds(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	name := snapshotName(t, e)
	sb := enginetest.Open(t, sandbox.Options{Users: []string{"1234"}})
	is.NoErr(sb.Snapshot(ctx, name))
	command := sb.Command("sleep", "100")
	is.NoErr(command.Start(ctx))
	other := sb.Command("sleep", "100")
	other.User = "1234"
	is.NoErr(other.Start(ctx))
	job, err := sb.Command("sh", "-c", "setsid sleep 200 & echo begun; wait").Background(ctx, nil)
	is.NoErr(err)
	_, err = job.WaitLine(ctx, "begun", 0)
	is.NoErr(err)
	r, err := sb.Exec(ctx, "mkdir -p locked/in; touch locked/in/f /tmp/t; chmod 0 locked/in locked; (sleep 300 &) ")
	is.NoErr(err)
	is.True(r.OK())

	is.NoErr(sb.Rollback(ctx, name))
	r, err = command.Wait()
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.Canceled)
	r, err = other.Wait()
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.Canceled)
	r, err = job.Wait(ctx)
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.Canceled)
	r, err = sb.Exec(ctx, "ls -A . /tmp; ps | grep [s]leep")
	is.NoErr(err)
	is.Equal(string(r.Stdout), ".:\n\n/tmp:\n") // no file and no process
	is.True(errors.Is(sb.Rollback(ctx, "no-such"), sandbox.ErrNoImage))
	is.True(errors.Is(sb.Rollback(ctx, "no such"), fs.ErrInvalid))
}

// A rollback that succeeds has restored all files of the snapshot, whatever is written meanwhile.
func TestRollbackWhileWritten(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{})
	_, err := sb.WriteFile(ctx, "one", nil, nil)
	is.NoErr(err)
	one, two := snapshotName(t, e), snapshotName(t, e)
	is.NoErr(sb.Snapshot(ctx, one))
	is.NoErr(sb.Rename(ctx, "one", "two"))
	is.NoErr(sb.Snapshot(ctx, two))

	var both sync.WaitGroup
	for _, name := range []string{one, two} {
		both.Go(func() {
			if err := sb.Rollback(ctx, name); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	entries, err := sb.ReadDir(ctx, ".")
	is.NoErr(err)
	is.Equal(len(entries), 1) // the files of one of them

	ended := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				_, _ = sb.WriteFile(ctx, "meanwhile", nil, nil)
			}
		}
	})
	err = sb.Rollback(ctx, one)
	close(ended)
	writer.Wait()
	is.NoErr(err)
	exists, err := sb.Exists(ctx, "one")
	is.NoErr(err)
	is.True(exists)
}
