package sandbox

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// If a guest ends its stream and never replies, calls end with their context or by Close.
func TestEndWithoutReply(t *testing.T) {
	silent := func(_ *wire.Mux, _ uint32, s *wire.Stream) {
		_, _ = s.Write([]byte("{}\n"))
		_ = s.CloseWrite()
	}
	mine := errors.New("mine")
	for name, call := range map[string]func(context.Context, *Sandbox) error{
		"walk": func(ctx context.Context, sb *Sandbox) (err error) {
			for _, err = range sb.Walk(ctx, "top", nil) {
			}
			return err
		},
		"watch": func(ctx context.Context, sb *Sandbox) error {
			w, err := sb.Watch(ctx, "top", nil)
			if err == nil {
				_, err = w.Next()
			}
			return err
		},
		"pack": func(ctx context.Context, sb *Sandbox) error {
			return sb.failure("pack", "", sb.packTo(ctx, "/workspace", io.Discard))
		},
		"job": func(ctx context.Context, sb *Sandbox) error {
			_, _, err := sb.Job(1).Output(ctx)
			return err
		},
		"open file": func(ctx context.Context, sb *Sandbox) error {
			_, err := io.ReadAll(&openFile{fs: &sandboxFS{ctx: ctx, sb: sb}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(50*time.Millisecond, func() { cancel(mine) })
			err := call(ctx, newScripted(t, silent))
			_, ok := errors.AsType[*Error](err)
			is.True(ok)
			is.True(errors.Is(err, mine))
		})
	}
	t.Run("close", func(t *testing.T) {
		is := is.New(t)
		w, err := newScripted(t, silent).Watch(t.Context(), "top", nil)
		is.NoErr(err)
		time.AfterFunc(50*time.Millisecond, func() { w.Close() })
		_, err = w.Next()
		is.True(errors.Is(err, fs.ErrClosed))
	})
}

// What makes no sense is the end of the sandbox, and no name that leads elsewhere gets out.
func TestListingLeadsElsewhere(t *testing.T) {
	ctx := context.Background()
	walk := func(sb *Sandbox) (err error) {
		for m, err := range sb.Walk(ctx, "top", nil) {
			if err != nil {
				return err
			}
			if m.Path != "top" && m.Path != "top/a/..b" {
				return errors.New("got " + m.Path)
			}
		}
		return nil
	}
	watch := func(sb *Sandbox) error {
		w, err := sb.Watch(ctx, "top", nil)
		if err == nil {
			_, err = w.Next()
		}
		return err
	}
	hash := func(sb *Sandbox) error { _, err := sb.Hash(ctx, "x"); return err }
	for _, test := range []struct {
		name, lines string
		reply       any
		call        func(*Sandbox) error
		ok          bool
	}{
		{"walk", `{}` + "\n" + `{"Name":"YS8uLmI="}` + "\n", nil, walk, true},              // a/..b
		{"walk up", `{"Name":"Li4vYQ=="}` + "\n", nil, walk, false},                        // ../a
		{"walk up inside", `{"Name":"YS8uLi8uLi9i"}` + "\n", nil, walk, false},             // a/../../b
		{"walk absolute", `{"Name":"L2V0Yw=="}` + "\n", nil, walk, false},                  // /etc
		{"walk NUL", `{"Name":"YQBi"}` + "\n", nil, walk, false},                           // a\x00b
		{"watch", "{}\n" + `{"Path":"YQ==","Last":true}` + "\n", nil, watch, true},         // a
		{"watch up", "{}\n" + `{"Path":"Li4vYQ==","Last":true}` + "\n", nil, watch, false}, // ../a
		{"watch ends before it began", "", nil, watch, false},
		{"no hash", "", wire.Hashed{}, hash, false},
		{"bad hash", "", wire.Hashed{Hash: "\x1b[2J"}, hash, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := newScripted(t, func(m *wire.Mux, id uint32, s *wire.Stream) {
				_, _ = s.Write([]byte(test.lines))
				_ = s.CloseWrite()
				reply(m, id, wire.StatusOK, test.reply)
			})
			err := test.call(sb)
			if test.ok {
				is.NoErr(err)
				return
			}
			is.True(errors.Is(err, ErrLost))
		})
	}
}
