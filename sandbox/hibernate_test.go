package sandbox_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

func TestHibernate(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	name := snapshotName(t, e)
	sb := enginetest.Open(t, sandbox.Options{Memory: 256 << 20})
	fill(t, sb)
	want := listing(t, sb)
	is.NoErr(sb.Hibernate(ctx, name))
	is.True(errors.Is(sb.Err(), sandbox.ErrClosed))
	is.Equal(enginetest.Containers(t, cli, sb.Name()), 0)
	is.NoErr(sb.Close())

	_, err := sandbox.Wake(ctx, name, &sandbox.Options{Engine: e, Memory: 1}) // refused, and nothing lost
	is.True(errors.Is(err, fs.ErrInvalid))
	woken, err := sandbox.Wake(ctx, name, &sandbox.Options{Engine: e, Memory: 256 << 20})
	is.NoErr(err)
	defer woken.Close()
	is.Equal(listing(t, woken), want)
	is.Equal(woken.Image(), sb.Image())
	all, err := sandbox.Snapshots(ctx, e)
	is.NoErr(err)
	is.True(!slices.ContainsFunc(all, func(s sandbox.SnapshotInfo) bool { return s.Name == name })) // it is used up
	_, err = sandbox.Wake(ctx, name, &sandbox.Options{Engine: e})
	is.True(errors.Is(err, sandbox.ErrNoImage))
	is.NoErr(woken.Hibernate(ctx, name)) // and again
}
