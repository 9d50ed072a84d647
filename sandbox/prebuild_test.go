package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
)

// own is an engine that shows of the images of runtimes those of one test, so that it prunes
// nobody else's.
type own struct {
	sandbox.Engine
	prefix string // of the runtimes' names
}

func (o *own) Images(ctx context.Context, label, value string) ([]sandbox.ListedImage, error) {
	all, err := o.Engine.Images(ctx, label, value)
	return slices.DeleteFunc(all, func(l sandbox.ListedImage) bool {
		return !strings.HasPrefix(l.Labels[sandbox.LabelRuntime], o.prefix)
	}), err
}

// ownRuntimes is an engine for a test, and what makes runtimes of names of its own, whose
// images are removed after it.
func ownRuntimes(t *testing.T) (e *own, runtime func(name, command string) drydock.Runtime) {
	t.Helper()
	real, _ := engine(t)
	prefix := fmt.Sprintf("test-%d-%d-", os.Getpid(), time.Now().UnixNano())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	e = &own{real, prefix}
	t.Cleanup(func() {
		ctx := context.Background()
		all, err := e.Images(ctx, sandbox.LabelKind, "runtime")
		if err != nil {
			t.Error(err)
		}
		for _, l := range all {
			name := l.Ref
			if name == "" {
				name = l.ID
			}
			if err := e.RemoveImage(ctx, name); err != nil {
				t.Error(err)
			}
		}
	})
	return e, func(name, command string) drydock.Runtime {
		return drydock.Runtime{Name: prefix + name, BaseImage: busybox, SetupCommands: []string{command + " # " + prefix}}
	}
}

func catalogOf(t *testing.T, runtimes ...drydock.Runtime) *drydock.Catalog {
	t.Helper()
	c, err := new(drydock.Catalog).With(runtimes...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPrebuild(t *testing.T) {
	is := is.New(t)
	e, runtime := ownRuntimes(t)
	ctx := context.Background()
	a, bad, c := runtime("a", "echo a > /a"), runtime("bad", "echo why; false"), runtime("c", "echo c > /c")
	var events []sandbox.Progress
	opts := &sandbox.Options{Catalog: catalogOf(t, a, bad, c), Engine: e, Progress: func(p sandbox.Progress) { events = append(events, p) }}

	_, err := sandbox.Prebuild(ctx, opts, a.Name, "nope", "")
	is.True(errors.Is(err, drydock.ErrUnknownRuntime)) // before anything is built
	is.Equal(len(events), 0)

	offline := *opts
	offline.Offline = true
	all, err := sandbox.Prebuild(ctx, &offline, a.Name)
	is.True(errors.Is(err, sandbox.ErrOffline))
	is.Equal(len(all), 1)
	is.True(errors.Is(all[0].Err, sandbox.ErrOffline))

	all, err = sandbox.Prebuild(ctx, opts)
	var failed *sandbox.BuildError
	is.True(errors.As(err, &failed))
	is.Equal(failed.Image, "runtime "+bad.Name)
	is.Equal(len(all), 3)
	for i, r := range []drydock.Runtime{a, bad, c} {
		is.Equal(all[i].Runtime, r.Name)
		is.Equal(all[i].Built, i != 1)
		is.Equal(all[i].Err != nil, i == 1)
		is.Equal(all[i].Size > 1<<20, i != 1)
		is.True(all[i].Duration > 0)
	}
	done := 0
	for _, p := range events {
		if p.Done {
			done++
		}
	}
	is.Equal(done, 3) // all were heard of

	all, err = sandbox.Prebuild(ctx, &offline, c.Name, a.Name)
	is.NoErr(err)
	is.Equal(all[0].Runtime, c.Name)
	is.True(!all[0].Built && !all[1].Built) // they were there
	sb := open(t, sandbox.Options{Runtime: c.Name, Catalog: opts.Catalog, Offline: true})
	is.Equal(sb.Image(), all[0].Image) // what Open asks for

	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("enough"))
	all, err = sandbox.Prebuild(ended, opts, a.Name, c.Name)
	is.True(err != nil && len(all) == 2)
	is.True(strings.Contains(all[1].Err.Error(), "enough"))
}

func TestPrune(t *testing.T) {
	is := is.New(t)
	e, runtime := ownRuntimes(t)
	_, cli := engine(t)
	ctx := context.Background()
	before, after := runtime("a", "echo before > /a"), runtime("a", "echo after > /a")
	old, now := catalogOf(t, before), catalogOf(t, after)
	sb := open(t, sandbox.Options{Runtime: before.Name, Catalog: old})
	ready, err := sandbox.Prebuild(ctx, &sandbox.Options{Catalog: now, Engine: e})
	is.NoErr(err)

	listed := func(c *drydock.Catalog) map[string]sandbox.RuntimeImage {
		t.Helper()
		all, err := sandbox.RuntimeImages(ctx, e, c)
		is.NoErr(err)
		byRef := make(map[string]sandbox.RuntimeImage)
		for _, im := range all {
			is.Equal(im.Runtime, before.Name)
			is.Equal(im.Base, busybox)
			is.True(im.Size > 1<<20 && strings.HasPrefix(im.ID, "sha256:"))
			is.True(time.Since(im.Used) < 5*time.Minute)
			byRef[im.Ref] = im
		}
		return byRef
	}
	prune := func(opts sandbox.PruneOptions) (refs []string) {
		t.Helper()
		opts.Catalog = now
		removed, err := sandbox.Prune(ctx, e, &opts)
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
	is.Equal(len(prune(sandbox.PruneOptions{})), 0)
	is.True(sb.Alive())

	is.NoErr(sb.Close())
	is.Equal(prune(sandbox.PruneOptions{DryRun: true}), []string{sb.Image()})
	is.Equal(len(listed(now)), 2)
	is.Equal(prune(sandbox.PruneOptions{}), []string{sb.Image()})
	is.Equal(len(listed(now)), 1)
	is.Equal(len(prune(sandbox.PruneOptions{UnusedFor: time.Hour})), 0)

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
	run("tag", busybox, ready[0].Image)
	all = listed(now)
	run("rmi", ready[0].Image)
	is.True(all[""].Superseded && all[""].InUse)
	is.Equal(len(prune(sandbox.PruneOptions{})), 0)
	run("rm", holder)
	is.Equal(prune(sandbox.PruneOptions{}), []string{""})
	is.Equal(len(listed(now)), 0)

	ready, err = sandbox.Prebuild(ctx, &sandbox.Options{Catalog: now, Engine: e})
	is.NoErr(err)
	time.Sleep(2 * time.Millisecond)
	is.Equal(prune(sandbox.PruneOptions{UnusedFor: time.Millisecond}), []string{ready[0].Image})
}

func TestExportImport(t *testing.T) {
	is := is.New(t)
	e, runtime := ownRuntimes(t)
	ctx := context.Background()
	a, b := runtime("a", "echo a > /a"), runtime("b", "echo b > /b")
	opts := &sandbox.Options{Catalog: catalogOf(t, a, b, runtime("unbuilt", "true")), Engine: e}
	var archive bytes.Buffer
	offline := *opts
	offline.Offline = true
	is.True(errors.Is(sandbox.Export(ctx, &archive, &offline, a.Name), sandbox.ErrOffline)) // not built
	is.Equal(archive.Len(), 0)
	is.NoErr(sandbox.Export(ctx, &archive, opts, a.Name, b.Name, a.Name))

	all, err := sandbox.RuntimeImages(ctx, e, opts.Catalog)
	is.NoErr(err)
	is.Equal(len(all), 2) // were built for it
	for _, im := range all {
		is.NoErr(e.RemoveImage(ctx, im.Ref))
	}
	_, err = sandbox.Open(ctx, &sandbox.Options{Runtime: a.Name, Catalog: opts.Catalog, Engine: e, Offline: true})
	is.True(errors.Is(err, sandbox.ErrOffline)) // else what comes proves nothing

	loaded, err := sandbox.Import(ctx, bytes.NewReader(archive.Bytes()), opts)
	is.NoErr(err)
	is.Equal(len(loaded), 2)
	for i, r := range []drydock.Runtime{a, b} {
		is.Equal(loaded[i].Runtime, r.Name)
		sb := open(t, sandbox.Options{Runtime: r.Name, Catalog: opts.Catalog, Offline: true})
		is.Equal(sb.Image(), loaded[i].Ref)
		out, err := sb.Exec(ctx, "cat /a /b")
		is.NoErr(err)
		is.Equal(string(out.Stdout), string("ab"[i])+"\n") // each is its own
	}
	_, err = sandbox.Import(ctx, bytes.NewReader(archive.Bytes()), &sandbox.Options{Engine: e, Catalog: catalogOf(t, a, runtime("b", "another"))})
	is.True(err != nil && strings.Contains(err.Error(), loaded[1].Ref))  // another definition
	is.True(err != nil && !strings.Contains(err.Error(), loaded[0].Ref)) // is as it was
	_, err = sandbox.Import(ctx, strings.NewReader("no archive"), opts)
	is.True(err != nil)
}
