package image_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

func TestPrune(t *testing.T) {
	is := is.New(t)
	e, runtime := ownRuntimes(t)
	_, cli := enginetest.Engine(t)
	ctx := context.Background()
	before, after := runtime("a", "echo before > /a"), runtime("a", "echo after > /a")
	old, now := catalogOf(t, before), catalogOf(t, after)
	sb := enginetest.Open(t, sandbox.Options{Runtime: before.Name, Images: &image.Builder{Catalog: old}})
	ready, err := (&image.Builder{Catalog: now, Engine: e}).Prebuild(ctx)
	is.NoErr(err)

	listed := func(c *drydock.Catalog) map[string]image.RuntimeImage {
		t.Helper()
		all, err := (&image.Builder{Engine: e, Catalog: c}).Images(ctx)
		is.NoErr(err)
		byRef := make(map[string]image.RuntimeImage)
		for _, im := range all {
			is.Equal(im.Runtime, before.Name)
			is.Equal(im.Base, enginetest.Busybox)
			is.True(im.Size > 1<<20 && strings.HasPrefix(im.ID, "sha256:"))
			is.True(time.Since(im.Used) < 5*time.Minute)
			byRef[im.Ref] = im
		}
		return byRef
	}
	prune := func(opts image.PruneOptions) (refs []string) {
		t.Helper()
		removed, err := (&image.Builder{Engine: e, Catalog: now}).Prune(ctx, &opts)
		is.NoErr(err)
		for _, im := range removed {
			refs = append(refs, im.Ref)
		}
		return refs
	}
	all := listed(now)
	is.Equal(len(all), 2)
	is.True(all[sb.Image()].Superseded && all[sb.Image()].InUse)
	is.True(!all[ready[0].Image].Superseded && !all[ready[0].Image].InUse)
	is.True(!listed(old)[sb.Image()].Superseded) // the catalogue says
	is.Equal(len(prune(image.PruneOptions{})), 0)
	is.True(sb.Alive())

	is.NoErr(sb.Close())
	is.Equal(prune(image.PruneOptions{DryRun: true}), []string{sb.Image()})
	is.Equal(len(listed(now)), 2)
	is.Equal(prune(image.PruneOptions{}), []string{sb.Image()})
	is.Equal(len(listed(now)), 1)
	is.Equal(len(prune(image.PruneOptions{UnusedFor: time.Hour})), 0)

	// Of one that has lost its name, a container that never ran keeps the engine from removing it.
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(cli, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	holder := strings.TrimSuffix(before.Name, "a") + "holder"
	t.Cleanup(func() { _ = exec.Command(cli, "rm", holder).Run() })
	run("create", "--name="+holder, ready[0].Image)
	run("tag", enginetest.Busybox, ready[0].Image)
	all = listed(now)
	run("rmi", ready[0].Image)
	is.True(all[""].Superseded && all[""].InUse)
	is.Equal(len(prune(image.PruneOptions{})), 0)
	run("rm", holder)
	is.Equal(prune(image.PruneOptions{}), []string{""})
	is.Equal(len(listed(now)), 0)

	ready, err = (&image.Builder{Catalog: now, Engine: e}).Prebuild(ctx)
	is.NoErr(err)
	time.Sleep(2 * time.Millisecond)
	is.Equal(prune(image.PruneOptions{UnusedFor: time.Millisecond}), []string{ready[0].Image})
}
