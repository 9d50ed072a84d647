package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/keyed"
)

// builds keeps two goroutines from building the same image on the same engine.
var builds keyed.Mutex[buildKey]

type buildKey struct {
	engine any // see keyed.Comparable
	ref    string
}

// Ensure builds the image of a runtime if the engine does not have it. With PullAlways it
// also builds it if its base image has changed.
func (b *Builder) Ensure(ctx context.Context, r drydock.Runtime) error {
	b, err := b.Resolve()
	if err != nil {
		return err
	}
	e, err := engine.Require[engine.ImageBuilder](ctx, b.Engine)
	if err != nil {
		return err
	}
	info, err := b.Engine.Info(ctx)
	if err != nil {
		return err
	}
	ref, err := Reference(r, info.Arch)
	if err != nil {
		return err
	}
	return (&build{Builder: b, engine: e, info: info, runtime: r, ref: ref}).ensure(ctx)
}

// Build has the engine build an image that is no runtime's. An image of the same name loses
// that name. It is not bounded by Timeout.
func (b *Builder) Build(ctx context.Context, p *Recipe) error {
	b, err := b.Resolve()
	if err != nil {
		return err
	}
	e, err := engine.Require[engine.ImageBuilder](ctx, b.Engine)
	if err != nil {
		return err
	}
	return run(ctx, e, p, nil, newProgress(p.Title, b.Progress))
}

// build is the build of one runtime's image.
type build struct {
	*Builder
	engine  engine.ImageBuilder
	info    engine.Info
	runtime drydock.Runtime
	ref     string
}

func (b *build) ensure(ctx context.Context) error {
	title := describe(b.runtime)
	// It bounds waiting for another goroutine as well, whose own limit may be longer.
	ctx, cancel := context.WithTimeoutCause(ctx, b.Timeout,
		fmt.Errorf("%s was not ready within %v: see Builder.Timeout", title, b.Timeout))
	defer cancel()
	unlock, err := builds.Lock(ctx, buildKey{keyed.Comparable(b.Engine), b.ref})
	if err != nil {
		return err
	}
	defer unlock()
	// Another may have built it while this one waited.
	before, err := b.engine.InspectImage(ctx, b.ref)
	if err == nil && b.Pull != PullAlways || err != nil && !errors.Is(err, engine.ErrNoImage) {
		return err
	}
	switch {
	case b.Offline:
		return fmt.Errorf("%w: %s is not built on this engine: open it once without Offline", ErrOffline, title)
	case b.NoBuild && err != nil:
		return fmt.Errorf("%w: %s is not built on this engine, and Builder.NoBuild says not to", ErrOffline, title)
	}
	progress := newProgress(title, b.Progress)
	baseID, err := b.base(ctx, progress)
	if err != nil {
		return err
	}
	if b.NoBuild || before.ID != "" && before.Labels[engine.LabelBaseID] == baseID {
		return nil
	}
	unlockProcesses, err := b.lock(ctx, before.ID, progress)
	if err != nil || unlockProcesses == nil {
		return err
	}
	defer unlockProcesses()
	p, err := recipe(b.runtime, b.info.Arch, b.ref, baseID, b.info.CacheMounts)
	if err != nil {
		return err
	}
	b.Logger.InfoContext(ctx, "building image", "image", b.ref, "base", b.runtime.Base())
	started := time.Now()
	err = run(ctx, b.engine, p, b.Builder, progress)
	b.Logger.InfoContext(ctx, "built image", "image", b.ref, "duration", time.Since(started), "error", err)
	return err
}

// run has the engine build an image. Its packages come from the indexes of a Builder, if
// not nil.
func run(ctx context.Context, e engine.ImageBuilder, p *Recipe, indexes *Builder, progress *progress) error {
	progress.steps, progress.layers, progress.last = p.Steps, nil, nil
	files, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(p.writeContext(w))
	}()
	b := &engine.Build{Tag: p.Tag, Context: files, Progress: progress, NoCache: p.NoCache}
	if indexes != nil {
		b.Hide, progress.hide = indexes.hide, indexes.hide
		for _, s := range indexes.secrets() {
			progress.maxSecret = max(progress.maxSecret, len(s))
		}
		if value := indexes.indexes(); value != "" {
			b.Args = map[string]string{indexVariable: value}
		}
	}
	err := e.Build(ctx, b)
	files.CloseWithError(errors.New("the build has ended"))
	<-written
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	} else if err != nil {
		err = progress.failed(err)
	}
	progress.done(err)
	return err
}

// base returns the id of the base image, which it pulls as the policy says.
func (b *build) base(ctx context.Context, progress *progress) (string, error) {
	base := b.runtime.Base()
	before, err := b.engine.InspectImage(ctx, base)
	if err != nil && !errors.Is(err, engine.ErrNoImage) || err == nil && b.Pull != PullAlways {
		return before.ID, err
	}
	if b.Pull == PullNever {
		return "", fmt.Errorf("%w: %s is not on this engine, and must not be pulled", ErrOffline, base)
	}
	progress.pull(base)
	if err := b.engine.Pull(ctx, base, progress); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return "", cause
		}
		if before.ID != "" && strings.HasPrefix(base, "localhost/") {
			return before.ID, nil // it was made here, and no registry has it
		}
		if !errors.Is(err, engine.ErrNoImage) {
			err = fmt.Errorf("%w: %w", engine.ErrNoImage, err)
		}
		return "", fmt.Errorf("%s is not on this engine and could not be pulled; "+
			"if no registry can be reached, map it to an image that is there under stand_ins in a file that %s names: %w",
			base, drydock.EnvFiles, err)
	}
	after, err := b.engine.InspectImage(ctx, base)
	return after.ID, err
}
