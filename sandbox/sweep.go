package sandbox

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/keyed"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

// Sweep removes what dead processes left on an engine; nil means engine.Default():
//
//   - containers of sandboxes that never ran, are paused, or have exited, with their
//     anonymous volumes;
//   - networks that no container uses;
//   - the locks of builds;
//   - after an hour, the base images of interrupted snapshots.
//
// It returns the names of all that it removed. It leaves running sandboxes alone, because they
// end by themselves or have a lease, and also everything of living processes and of other hosts
// that share the engine. Every Open sweeps in the background, at most once a minute for each
// engine.
func Sweep(ctx context.Context, e engine.Engine) ([]string, error) {
	s := sweeper{now: time.Now(), engine: orDefault(e)}
	s.containers(ctx, engine.KindSandbox)
	s.containers(ctx, engine.KindBuild)
	// After the containers: a network is removed only if no container uses it.
	s.networks(ctx)
	s.roots(ctx)
	return s.removed, errors.Join(s.errs...)
}

// sweeper is one Sweep. An error with one kind of object does not stop the sweep of the others.
type sweeper struct {
	engine  engine.Engine
	now     time.Time
	removed []string
	errs    []error
}

// record records the removal of an object, or why it could not be removed.
func (s *sweeper) record(name string, gone bool, err error) {
	if err != nil {
		s.errs = append(s.errs, &Error{Op: "sweep", Name: name, Err: err})
	} else if gone {
		s.removed = append(s.removed, name)
	}
}

func (s *sweeper) containers(ctx context.Context, kind string) {
	all, err := s.engine.List(ctx, engine.LabelKind, kind)
	s.record("", false, err)
	for _, c := range all {
		if owned.Abandoned(c, s.now) {
			s.record(c.Name, true, s.engine.Remove(ctx, c.Ref()))
		}
	}
}

func (s *sweeper) networks(ctx context.Context) {
	e, err := engine.Require[engine.Networks](ctx, s.engine)
	if err != nil {
		return // an engine without networks has none to sweep
	}
	all, err := e.ListNetworks(ctx, engine.LabelKind, engine.KindNetwork)
	s.record("", false, err)
	for _, n := range all {
		if owned.Abandoned(n, s.now) {
			gone, err := e.RemoveNetwork(ctx, n.Ref())
			s.record(n.Name, gone, err)
		}
	}
}

func (s *sweeper) roots(ctx context.Context) {
	e, err := engine.Require[engine.Images](ctx, s.engine)
	if err != nil {
		return
	}
	all, err := e.ListImages(ctx, engine.LabelKind, engine.KindSandbox)
	s.record("", false, err)
	for _, im := range all {
		if strings.HasPrefix(im.Ref, rootRepository+":") && staleRoot(im.Image, s.now) {
			s.record(im.Ref, true, e.RemoveImage(ctx, im.Ref))
		}
	}
}

// staleRoot reports whether no Snapshot can still be building on the image of a root.
func staleRoot(im engine.Image, now time.Time) bool {
	return !im.Created.IsZero() && now.Sub(im.Created) > time.Hour
}

// swept is when this process last swept an engine, by keyed.Comparable. Entries older than
// sweepPause are dropped.
var swept = struct {
	sync.Mutex
	at map[any]time.Time
}{at: make(map[any]time.Time)}

// sweepPause is how long Open does not sweep an engine again.
const sweepPause = time.Minute

// claimSweep reports whether it is time to sweep an engine. If so, the caller has to sweep:
// others are told to wait for sweepPause.
func claimSweep(e engine.Engine) bool {
	key := keyed.Comparable(e)
	swept.Lock()
	defer swept.Unlock()
	maps.DeleteFunc(swept.at, func(_ any, at time.Time) bool { return time.Since(at) > sweepPause })
	if _, recent := swept.at[key]; recent {
		return false
	}
	swept.at[key] = time.Now()
	return true
}

// sweep is Sweep in the background, until the sandbox ends.
func (sb *Sandbox) sweep() {
	removed, err := Sweep(sb.ctx, sb.config.Engine)
	if len(removed) > 0 || err != nil && sb.ctx.Err() == nil {
		sb.config.Logger.Info("swept", "removed", removed, "error", err)
	}
}

func orDefault(e engine.Engine) engine.Engine {
	if e == nil {
		return engine.Default()
	}
	return e
}
