package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Only addresses of the sandbox itself can be dialed.
func TestParseTarget(t *testing.T) {
	for _, test := range []struct {
		network, address string
		want             []string // addresses, or a path
		port             uint16
	}{
		{"tcp", "localhost:8000", []string{"127.0.0.1", "::1"}, 8000},
		{"tcp", "LocalHost:65535", []string{"127.0.0.1", "::1"}, 65535},
		{"tcp", ":1", []string{"127.0.0.1", "::1"}, 1},
		{"tcp4", "localhost:1", []string{"127.0.0.1"}, 1},
		{"tcp6", ":1", []string{"::1"}, 1},
		{"tcp", "127.1.2.3:1", []string{"127.1.2.3"}, 1},
		{"tcp", "0.0.0.0:1", []string{"127.0.0.1"}, 1},
		{"tcp", "[::]:1", []string{"::1"}, 1},
		{"tcp", "[::1]:1", []string{"::1"}, 1},
		{"tcp4", "[::ffff:127.0.0.1]:1", []string{"127.0.0.1"}, 1},
		{"unix", "a/b.sock", []string{"a/b.sock"}, 0},
		{"unix", "@name", []string{"@name"}, 0},
		{"tcp4", "[::1]:1", nil, 0},
		{"tcp6", "127.0.0.1:1", nil, 0},
		{"tcp", "localhost", nil, 0},
		{"tcp", "localhost:", nil, 0},
		{"tcp", "localhost:0", nil, 0},
		{"tcp", "localhost:-1", nil, 0},
		{"tcp", "localhost:65536", nil, 0},
		{"tcp", "localhost:http", nil, 0},
		{"tcp", "localhost.example.com:1", nil, 0},
		{"tcp", "10.0.0.1:1", nil, 0},
		{"tcp", "169.254.169.254:80", nil, 0},
		{"tcp", "[::1%lo]:1", nil, 0},
		{"tcp", "2130706433:1", nil, 0},
		{"udp", "localhost:1", nil, 0},
		{"", "localhost:1", nil, 0},
		{"unix", "", nil, 0},
		{"unix", "a\x00b", nil, 0},
	} {
		t.Run(test.network+" "+test.address, func(t *testing.T) {
			is := is.New(t)
			got, err := parseTarget(test.network, test.address)
			if test.want == nil {
				is.True(err != nil)
				return
			}
			is.NoErr(err)
			all := []string{got.path}
			if got.path == "" {
				all = nil
			}
			for _, ip := range got.addrs {
				all = append(all, ip.String())
			}
			is.Equal(all, test.want)
			is.Equal(got.port, test.port)
		})
	}
}

// framed is a sandbox whose guest answers one call with the frames that script makes.
func framed(t *testing.T, script func(call uint32) []byte) *Sandbox {
	is := is.New(t)
	guestR, hostW := io.Pipe()
	hostR, guestW := io.Pipe()
	sb := &Sandbox{done: make(chan struct{}), err: ErrLost}
	close(sb.done)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r := wire.NewReader(guestR)
		for {
			h, err := r.Next()
			if err != nil {
				return
			}
			payload, err := r.Payload(h)
			switch {
			case err != nil:
				return
			case h.Kind == wire.KindHello:
				var hello wire.HostHello
				_ = json.Unmarshal(payload, &hello)
				answer, _ := json.Marshal(wire.GuestHello{Major: wire.Major, Nonce: hello.Nonce})
				_, err = guestW.Write(wire.AppendFrame(nil, wire.KindHello, 0, answer))
			case h.Kind == wire.KindCall:
				_, err = guestW.Write(script(h.Stream))
			}
			if err != nil {
				return
			}
		}
	}()
	sb.ch = channel.Open(hostW, hostR, wire.HostHello{})
	t.Cleanup(func() {
		sb.ch.Close()
		hostW.Close()
		hostR.Close()
		sb.ch.Wait()
		<-gone
	})
	_, err := sb.ch.Ready(context.Background())
	is.NoErr(err)
	return sb
}

// A guest that breaks the protocol of a connection, or never answers, does not block Dial.
func TestDialHostileGuest(t *testing.T) {
	connected := wire.Dialed{Port: 7}.Encode()
	ok := []byte{wire.StatusOK}
	for _, test := range []struct {
		name string
		say  func(call uint32) []byte
		lost bool
		want error
	}{
		{"refused", func(call uint32) []byte {
			return wire.AppendFrame(nil, wire.KindReply, call, []byte("\x01{\"Code\":\"refused\",\"Text\":\"no\\u001b[2J\"}"))
		}, false, syscall.ECONNREFUSED},
		{"another address", func(call uint32) []byte {
			return wire.AppendFrame(nil, wire.KindData, call, wire.Dialed{Which: 2}.Encode())
		}, true, ErrLost},
		{"an end at once", func(call uint32) []byte { return wire.AppendFrame(nil, wire.KindEnd, call, nil) }, true, ErrLost},
		{"an end too early", func(call uint32) []byte {
			return wire.AppendFrame(nil, wire.KindEnd, call, connected[:2])
		}, true, ErrLost},
		{"no connection and no error", func(call uint32) []byte {
			return wire.AppendFrame(nil, wire.KindReply, call, ok)
		}, true, ErrLost},
		{"half a connection and no error", func(call uint32) []byte {
			return wire.AppendFrame(wire.AppendFrame(nil, wire.KindData, call, connected[:2]), wire.KindReply, call, ok)
		}, true, ErrLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := framed(t, test.say)
			_, err := sb.Dial(context.Background(), "tcp", "localhost:80")
			is.True(errors.Is(err, test.want))
			is.Equal(sb.ch.Err() != nil, test.lost)
		})
	}
	t.Run("no end", func(t *testing.T) {
		is := is.New(t)
		sb := framed(t, func(call uint32) []byte {
			frames := wire.AppendFrame(nil, wire.KindData, call, append(connected, "half"...))
			return wire.AppendFrame(frames, wire.KindReply, call, ok)
		})
		c, err := sb.Dial(context.Background(), "tcp", "localhost:80")
		is.NoErr(err)
		is.Equal(c.LocalAddr().String(), "127.0.0.1:7")
		got, err := io.ReadAll(c)
		is.Equal(string(got), "half")
		is.True(errors.Is(err, syscall.ECONNRESET)) // what is not said to be all is not all
		is.NoErr(sb.ch.Err())
	})
	t.Run("the guest goes", func(t *testing.T) {
		is := is.New(t)
		sb := framed(t, func(call uint32) []byte { return wire.AppendFrame(nil, wire.KindData, call, connected) })
		c, err := sb.Dial(context.Background(), "tcp", "localhost:80")
		is.NoErr(err)
		sb.ch.Fail(io.EOF) // as its read loop does
		_, err = c.Read(make([]byte, 1))
		is.True(errors.Is(err, ErrLost))
		is.True(!errors.Is(err, io.EOF)) // which would be a good end
		_, err = c.Write([]byte("x"))
		is.True(errors.Is(err, ErrLost))
	})
	t.Run("silence", func(t *testing.T) {
		is := is.New(t)
		sb := framed(t, func(uint32) []byte { return nil })
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err := sb.Dial(ctx, "tcp", "localhost:80")
		ne, ok := errors.AsType[net.Error](err)
		is.True(ok && ne.Timeout())
		is.True(!errors.Is(err, fs.ErrInvalid))
		is.NoErr(sb.ch.Err())
	})
}
