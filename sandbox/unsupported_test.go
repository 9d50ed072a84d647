package sandbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
)

// smallEngine implements engine.Engine and none of its optional parts. Its guest is that of the
// liar.
type smallEngine struct{ liar *liar }

func (e smallEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Name: "kubernetes", Version: "1", Arch: "amd64", CPUs: 1}, nil
}

func (e smallEngine) Start(ctx context.Context, c *engine.Container) (engine.Conn, error) {
	return e.liar.Start(ctx, c)
}

func (e smallEngine) StartDetached(context.Context, *engine.Container) error { return nil }

func (e smallEngine) Connect(ctx context.Context, _ string) (engine.Conn, error) {
	return e.liar.Start(ctx, nil)
}

func (e smallEngine) List(context.Context, string, string) ([]engine.Object, error) { return nil, nil }

func (e smallEngine) Remove(context.Context, string) error { return nil }

// A sandbox runs on an engine without optional parts. A method that needs a part says which one
// the engine lacks.
func TestEngineThatLacksParts(t *testing.T) {
	ctx := context.Background()
	e := smallEngine{&liar{}}
	opts := func() *sandbox.Options {
		return &sandbox.Options{Image: "debian:12", Engine: e, Users: []string{"root"}}
	}
	sb, err := sandbox.Open(ctx, opts())
	is.New(t).NoErr(err)
	defer sb.Close()
	for name, test := range map[string]struct {
		do   func() error
		text string
	}{
		"pause":    {func() error { return sb.Pause(ctx) }, "pause: the engine kubernetes cannot pause containers"},
		"rollback": {func() error { return sb.Rollback(ctx, "x") }, "rollback x: the engine kubernetes cannot tell about its images"},
		"command as another user": {func() error {
			cmd := sb.Command("true")
			cmd.User = "root"
			_, err := cmd.Run(ctx)
			return err
		}, `exec ["true"]: the engine kubernetes cannot run commands as another user`},
		"volume": {func() error {
			o := opts()
			o.Mounts = []sandbox.Mount{{Source: "data", Target: "/data"}}
			_, err := sandbox.Open(ctx, o)
			return err
		}, "open: the engine kubernetes cannot make volumes"},
		"network": {func() error {
			_, err := sandbox.CreateNetwork(ctx, &sandbox.NetworkOptions{Engine: e})
			return err
		}, "create network: the engine kubernetes cannot make networks"},
		"snapshot that is opened": {func() error {
			_, err := sandbox.Open(ctx, &sandbox.Options{Snapshot: "x", Engine: e})
			return err
		}, "open: the engine kubernetes cannot tell about its images"},
		"list of snapshots": {func() error { _, err := sandbox.Snapshots(ctx, e); return err },
			"list snapshots: the engine kubernetes cannot tell about its images"},
		"removal of a snapshot": {func() error { return sandbox.RemoveSnapshot(ctx, e, "x") },
			"remove snapshot x: the engine kubernetes cannot tell about its images"},
		"build": {func() error {
			return (&image.Builder{Engine: e}).Ensure(ctx, drydock.Runtime{Image: "debian:12"})
		}, "the engine kubernetes cannot pull or build images"},
		"list of images": {func() error { _, err := (&image.Builder{Engine: e}).Images(ctx); return err },
			"list images: the engine kubernetes cannot tell about its images"},
		"import": {func() error { _, err := (&image.Builder{Engine: e}).Import(ctx, nil); return err },
			"import: the engine kubernetes cannot export or import images"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			err := test.do()
			is.True(errors.Is(err, errors.ErrUnsupported))
			is.Equal(err.Error(), test.text)
			if e, ok := errors.AsType[*sandbox.Error](err); ok {
				is.Equal(e.Code, sandbox.CodeUnsupported)
			}
		})
	}
	removed, err := sandbox.Sweep(ctx, e)
	is := is.New(t)
	is.NoErr(err) // it has no networks and images to look for
	is.Equal(len(removed), 0)
	o := opts()
	o.Lease = 1e9
	leased, err := sandbox.Open(ctx, o)
	is.NoErr(err)
	is.NoErr(leased.Detach())
	again, err := sandbox.Adopt(ctx, leased.Name(), o)
	is.NoErr(err)
	is.NoErr(again.Kill())
}
