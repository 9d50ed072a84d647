package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
	"github.com/drydock-go/drydock/sandbox/internal/fakeengine"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// liar is an engine whose guest answers each call with the same bytes.
type liar struct {
	fakeengine.Engine
	answer []byte
}

func (l *liar) Info(context.Context) (engine.Info, error) {
	return engine.Info{Name: "docker", Version: "1", Arch: "amd64", CPUs: 1}, nil
}

func (l *liar) List(context.Context, string, string) ([]engine.Object, error) { return nil, nil }
func (l *liar) ListNetworks(context.Context, string, string) ([]engine.Object, error) {
	return nil, nil
}
func (l *liar) ListImages(context.Context, string, string) ([]engine.TaggedImage, error) {
	return nil, nil
}
func (l *liar) Remove(context.Context, string) error { return nil }

func (l *liar) Start(context.Context, *engine.Container) (engine.Conn, error) {
	guestIn, hostOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	hostIn, guestOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	conn := &lyingConn{in: hostOut, out: hostIn, done: make(chan struct{})}
	go func() {
		defer close(conn.done)
		defer guestIn.Close()
		defer guestOut.Close()
		_ = l.serve(guestIn, guestOut) // until the host has gone
	}()
	return conn, nil
}

func (l *liar) serve(r io.Reader, w io.Writer) error {
	frames := wire.NewReader(r)
	for {
		h, err := frames.Next()
		if err != nil {
			return err
		}
		payload, err := frames.Payload(h)
		if err != nil {
			return err
		}
		var b []byte
		switch h.Kind {
		case wire.KindHello:
			var hello wire.HostHello
			if err := json.Unmarshal(payload, &hello); err != nil {
				return err
			}
			answer, err := json.Marshal(wire.GuestHello{Major: wire.Major, Nonce: hello.Nonce})
			if err != nil {
				return err
			}
			b = wire.AppendFrame(nil, wire.KindHello, 0, answer)
		case wire.KindCall:
			b = wire.AppendFrame(nil, wire.KindEnd, h.Stream, l.answer)
			b = wire.AppendFrame(b, wire.KindReply, h.Stream, []byte{wire.StatusOK, '{', '}'})
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
}

// lyingConn is the connection to it.
type lyingConn struct {
	in, out *os.File
	done    chan struct{}
}

func (c *lyingConn) Stdin() io.WriteCloser { return c.in }
func (c *lyingConn) Stdout() *os.File      { return c.out }
func (c *lyingConn) Done() <-chan struct{} { return c.done }
func (c *lyingConn) Wait() error           { <-c.done; return nil }
func (c *lyingConn) Close()                { c.in.Close(); <-c.done; c.out.Close() }

// An answer that violates the protocol ends the sandbox, and no call waits any longer.
func TestListingMakesNoSense(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func(*sandbox.Sandbox) error{
		"glob": func(sb *sandbox.Sandbox) error { _, err := sb.Glob(ctx, "*", nil); return err },
		"grep": func(sb *sandbox.Sandbox) error { _, err := sb.Grep(ctx, "x", nil); return err },
		"list": func(sb *sandbox.Sandbox) error { _, err := sb.ReadDir(ctx, "."); return err },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			sb, err := sandbox.Open(ctx, &sandbox.Options{Image: enginetest.Busybox, Images: &image.Builder{Engine: &liar{answer: []byte("\xff\xff")}, Offline: true}})
			is.NoErr(err)
			defer sb.Close()
			answer := make(chan error, 1)
			go func() { answer <- call(sb) }()
			select {
			case err = <-answer:
			case <-time.After(20 * time.Second):
				t.Fatal("no answer")
			}
			is.True(errors.Is(err, sandbox.ErrLost))
		})
	}
}
