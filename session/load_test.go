package session_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/session"
)

func TestThousandGets(t *testing.T) {
	is := is.New(t)
	u := manage(t, session.Options{WorkspaceRoot: t.TempDir()})
	begin := time.Now()
	sandboxes := make([]*sandbox.Sandbox, 1000)
	var wg sync.WaitGroup
	for i := range sandboxes {
		wg.Go(func() {
			sb, err := u.get("one")
			if err != nil {
				t.Error(err)
			}
			sandboxes[i] = sb
		})
	}
	wg.Wait()
	took := time.Since(begin)
	is.Equal(u.count.Load(), int64(1))
	is.Equal(len(u.containers(t)), 1)
	is.Equal(len(slices.Compact(sandboxes)), 1)
	is.Equal(run(is, sandboxes[0], "echo hello"), "hello\n")
	t.Logf("1,000 Gets, one container, %v", took)
}

func TestBurst(t *testing.T) {
	is := is.New(t)
	const room, refused = 8, 20
	u := manage(t, session.Options{Max: room})
	begin := time.Now()
	errs := make([]error, room+refused)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = u.get(fmt.Sprint("id-", i)) })
	}
	wg.Wait()
	took := time.Since(begin)
	full := 0
	for _, err := range errs {
		if _, ok := errors.AsType[*session.Error](err); ok && errors.Is(err, session.ErrFull) {
			full++
		} else {
			is.NoErr(err)
		}
	}
	is.Equal(full, refused)
	is.Equal(u.count.Load(), int64(room)) // no more were ever opened
	is.Equal(len(u.containers(t)), room)

	// Waiting for room gets it when one is released.
	got := make(chan error, 1)
	go func() {
		_, err := u.Get(ctx, "late", &session.GetOptions{Wait: time.Minute, Configure: func(o *sandbox.Options) {
			o.Name = u.prefix + "late"
		}})
		got <- err
	}()
	for id := range u.All() {
		is.NoErr(u.Release(ctx, id, nil))
		break
	}
	is.NoErr(<-got)
	is.Equal(len(u.containers(t)), room)
	t.Logf("%d at once: %d opened, %d refused, %v", room+refused, room, full, took)
}
