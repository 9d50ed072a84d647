package sandbox

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Sweep removes what processes that are no more left on an engine: containers of
// sandboxes that never ran, are paused, or have exited, with their anonymous volumes, and
// networks that no container uses; the locks of builds; and, after an hour, the images that a
// Snapshot which was killed was to be made on. It returns their names. Running sandboxes end by themselves, or have
// a lease; those of processes that live, and of other hosts that share the engine, are left
// alone. Every Open sweeps in the background, at most once a minute for each engine.
func Sweep(ctx context.Context, engine Engine) ([]string, error) {
	engine = orDefault(engine)
	var removed []string
	var errs []error
	sweep := func(all []Listed, remove func(context.Context, string) (bool, error)) {
		for _, c := range all {
			if !abandoned(c, time.Now()) {
				continue
			}
			gone, err := remove(ctx, c.ref())
			if err != nil {
				errs = append(errs, &Error{Op: "sweep", Name: c.Name, Err: err})
			} else if gone {
				removed = append(removed, c.Name)
			}
		}
	}
	for _, kind := range []string{"sandbox", "build"} {
		all, err := engine.List(ctx, LabelKind, kind)
		if err != nil {
			return removed, &Error{Op: "sweep", Err: errors.Join(append(errs, err)...)}
		}
		sweep(all, func(ctx context.Context, ref string) (bool, error) { return true, engine.Remove(ctx, ref) })
	}
	// After the containers, which may have been the last in them.
	networks, err := engine.Networks(ctx, LabelKind, "network")
	if err != nil {
		return removed, &Error{Op: "sweep", Err: errors.Join(append(errs, err)...)}
	}
	sweep(networks, engine.RemoveNetwork)
	images, err := engine.Images(ctx, LabelKind, "sandbox")
	if err != nil {
		errs = append(errs, &Error{Op: "sweep", Err: err})
	}
	for _, image := range images {
		if !strings.HasPrefix(image.Ref, rootRepository+":") || !staleRoot(image.ImageInfo, time.Now()) {
			continue
		}
		if err := engine.RemoveImage(ctx, image.Ref); err != nil {
			errs = append(errs, &Error{Op: "sweep", Name: image.Ref, Err: err})
		} else {
			removed = append(removed, image.Ref)
		}
	}
	return removed, errors.Join(errs...)
}

// staleRoot reports whether no Snapshot can still be building on the image of a root.
func staleRoot(info ImageInfo, now time.Time) bool {
	return !info.Created.IsZero() && now.Sub(info.Created) > time.Hour
}

// abandoned reports whether nobody will ever use or remove the container.
func abandoned(c Listed, now time.Time) bool {
	if c.State == "running" || c.State == "removing" {
		return false
	}
	if c.State == "paused" && c.Labels[LabelLease] != "" {
		return false // somebody may come to wake it
	}
	if expires, err := time.Parse(time.RFC3339, c.Labels[LabelExpires]); err == nil && now.After(expires) {
		return true
	}
	boot, process, _ := strings.Cut(c.Labels[LabelOwner], ":")
	pid, start, _ := strings.Cut(process, ":")
	myBoot, _, _ := strings.Cut(owner(), ":")
	if boot != myBoot {
		// Another host's, or this one's before it was started anew: wait a day to see.
		created, err := time.Parse(time.RFC3339, c.Labels[LabelCreated])
		return err == nil && now.Sub(created) > 24*time.Hour
	}
	n, err := strconv.Atoi(pid)
	return err == nil && startTicks(n) != start
}

// swept is when this process last swept an engine, for a while.
var swept = struct {
	sync.Mutex
	at map[Engine]time.Time
}{at: make(map[Engine]time.Time)}

const sweepPause = time.Minute

// sweepDue reports whether an engine is to be swept, and takes it that it now is.
func sweepDue(engine Engine) bool {
	swept.Lock()
	defer swept.Unlock()
	maps.DeleteFunc(swept.at, func(_ Engine, at time.Time) bool { return time.Since(at) > sweepPause })
	if _, recent := swept.at[engine]; recent {
		return false
	}
	swept.at[engine] = time.Now()
	return true
}

// sweep is Sweep beside the sandbox's own work; it is given up when the sandbox ends.
func (sb *Sandbox) sweep() {
	removed, err := Sweep(sb.life, sb.c.Engine)
	if len(removed) > 0 || err != nil && sb.life.Err() == nil {
		sb.c.Logger.Info("swept", "removed", removed, "error", err)
	}
}
