//go:build linux

package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// dialing asks the guest for a connection. It returns the call, and the Dialed that comes first.
func (s *session) dialing(m *wire.Dial) (*channel.Call, wire.Dialed, error) {
	call, err := s.ch.Start(&channel.Request{Op: wire.OpDial, Args: m})
	if err != nil {
		return nil, wire.Dialed{}, err
	}
	var first [wire.DialedSize]byte
	if _, err := io.ReadFull(call.Stream, first[:]); err != nil {
		return nil, wire.Dialed{}, call.Result(context.Background(), nil)
	}
	return call, wire.DecodeDialed(first), nil
}

// files counts the descriptors of the guest, which are to be seen by root alone.
func (s *session) files() (int, error) {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	return len(all), err
}

// listening is a listener on the loopback interface, which the guest of a test shares.
type listening struct {
	*net.TCPListener
	m *wire.Dial
}

func listenHere(t *testing.T, is *is.I) *listening {
	is.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	is.NoErr(err)
	t.Cleanup(func() { l.Close() })
	return &listening{l, &wire.Dial{Addrs: [][]byte{{127, 0, 0, 1}}, Port: uint16(l.Addr().(*net.TCPAddr).Port)}}
}

// accept returns the next connection, for no longer than a test takes.
func (l *listening) accept(t *testing.T, is *is.I) *net.TCPConn {
	is.Helper()
	c, err := l.AcceptTCP()
	is.NoErr(err)
	t.Cleanup(func() { c.Close() })
	is.NoErr(c.SetDeadline(time.Now().Add(20 * time.Second)))
	return c
}

// connect returns both ends of a connection.
func (l *listening) connect(t *testing.T, is *is.I, s *session) (*channel.Call, *net.TCPConn) {
	is.Helper()
	call, d, err := s.dialing(l.m)
	is.NoErr(err)
	c := l.accept(t, is)
	is.Equal(int(d.Port), c.RemoteAddr().(*net.TCPAddr).Port)
	return call, c
}

func TestDial(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	l := listenHere(t, is)
	isCode := func(err error, want wire.Code) bool {
		var e *wire.Error
		return errors.As(err, &e) && e.Code == want
	}
	t.Run("half closed by the host", func(t *testing.T) {
		is := is.New(t)
		call, c := l.connect(t, is, s)
		_, err := call.Stream.Write([]byte("question"))
		is.NoErr(err)
		is.NoErr(call.Stream.CloseWrite())
		got, err := io.ReadAll(c)
		is.NoErr(err)
		is.Equal(string(got), "question")
		_, err = io.WriteString(c, "answer")
		is.NoErr(err)
		is.NoErr(c.Close())
		got, err = io.ReadAll(call.Stream)
		is.NoErr(err)
		is.Equal(string(got), "answer")
		is.True(call.Stream.Ended())
		is.NoErr(call.Result(context.Background(), nil))
	})
	t.Run("half closed by the server", func(t *testing.T) {
		is := is.New(t)
		call, c := l.connect(t, is, s)
		is.NoErr(c.CloseWrite())
		got, err := io.ReadAll(call.Stream)
		is.NoErr(err)
		is.Equal(len(got), 0)
		is.True(call.Stream.Ended())
		sent := bytes.Repeat([]byte("0123456789"), 300_000)
		go func() {
			_, _ = call.Stream.Write(sent)
			_ = call.Stream.CloseWrite()
		}()
		got, err = io.ReadAll(c)
		is.NoErr(err)
		is.True(bytes.Equal(got, sent))
		is.NoErr(call.Result(context.Background(), nil))
	})
	t.Run("reset by the server", func(t *testing.T) {
		is := is.New(t)
		call, c := l.connect(t, is, s)
		is.NoErr(c.SetLinger(0))
		is.NoErr(c.Close())
		is.True(isCode(call.Result(context.Background(), nil), wire.CodeReset))
		is.True(!call.Stream.Ended())
	})
	// The kernel tells of a reset once, and may tell the writer.
	t.Run("reset under a writer", func(t *testing.T) {
		is := is.New(t)
		for range 50 {
			call, c := l.connect(t, is, s)
			go func() {
				for {
					if _, err := call.Stream.Write(make([]byte, 1000)); err != nil {
						return
					}
				}
			}()
			_, err := c.Read(make([]byte, 1000))
			is.NoErr(err)
			is.NoErr(c.SetLinger(0))
			is.NoErr(c.Close())
			is.True(isCode(call.Result(context.Background(), nil), wire.CodeReset))
			is.True(!call.Stream.Ended()) // never an end for a connection that was given up
		}
	})
	t.Run("closed by the host", func(t *testing.T) {
		is := is.New(t)
		call, c := l.connect(t, is, s)
		sent := bytes.Repeat([]byte("0123456789"), 50_000)
		_, err := call.Stream.Write(sent)
		is.NoErr(err)
		is.NoErr(call.Stream.CloseWrite())
		call.Cancel(true)
		got, err := io.ReadAll(c)
		is.NoErr(err) // what was written before still arrives
		is.True(bytes.Equal(got, sent))
		is.NoErr(call.Result(context.Background(), nil))
	})
	t.Run("given up by the host", func(t *testing.T) {
		is := is.New(t)
		call, c := l.connect(t, is, s)
		_, err := call.Stream.Write([]byte("half a mess"))
		is.NoErr(err)
		call.Cancel(true)
		_, err = io.ReadAll(c)
		is.True(errors.Is(err, syscall.ECONNRESET)) // which is no whole message
		is.NoErr(call.Result(context.Background(), nil))
	})
	t.Run("the server stops to read", func(t *testing.T) {
		is := is.New(t)
		call, c := l.connect(t, is, s)
		is.NoErr(c.SetReadBuffer(4096))
		call.Stream.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := call.Stream.Write(make([]byte, 64<<20))
		is.Equal(err, os.ErrDeadlineExceeded) // it is held back
		is.True(n < 16<<20)
		_, err = s.collect(wire.OpJobs, struct{}{}, nil)
		is.NoErr(err) // and nobody else
		call.Cancel(true)
		is.NoErr(call.Result(context.Background(), nil))
	})
	t.Run("the second address", func(t *testing.T) {
		is := is.New(t)
		call, d, err := s.dialing(&wire.Dial{Addrs: [][]byte{{127, 0, 0, 7}, {127, 0, 0, 1}}, Port: l.m.Port})
		is.NoErr(err)
		is.Equal(d.Which, byte(1))
		l.accept(t, is)
		call.Cancel(true)
		is.NoErr(call.Result(context.Background(), nil))
	})
	t.Run("unix", func(t *testing.T) {
		is := is.New(t)
		for _, name := range []string{"sock", fmt.Sprintf("@drydock-test-%d", os.Getpid())} {
			file := name
			if name[0] != '@' {
				file = s.path(name)
			}
			u, err := net.Listen("unix", file)
			is.NoErr(err)
			defer u.Close()
			if name[0] != '@' {
				is.NoErr(os.Chmod(file, 0o777))
			}
			call, d, err := s.dialing(&wire.Dial{Path: []byte(name)})
			is.NoErr(err)
			is.Equal(d, wire.Dialed{})
			c, err := u.Accept()
			is.NoErr(err)
			_, err = io.WriteString(c, "hello")
			is.NoErr(err)
			is.NoErr(c.Close())
			got, err := io.ReadAll(call.Stream)
			is.NoErr(err)
			is.Equal(string(got), "hello")
			is.NoErr(call.Stream.CloseWrite())
			is.NoErr(call.Result(context.Background(), nil))
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, test := range []struct {
			m    wire.Dial
			code wire.Code
		}{
			{wire.Dial{Addrs: [][]byte{{127, 0, 0, 7}, {127, 0, 0, 8}}, Port: l.m.Port}, wire.CodeRefused},
			{wire.Dial{Path: []byte("nothing")}, wire.CodeNotExist},
			{wire.Dial{Path: []byte(strings.Repeat("x", 200))}, wire.CodeNameTooLong},
			{wire.Dial{Path: []byte(socketName)}, wire.CodePermission},
			{wire.Dial{}, wire.CodeInvalid},
			{wire.Dial{Addrs: [][]byte{{1, 2, 3}}}, wire.CodeInvalid},
			{wire.Dial{Addrs: make([][]byte, 300)}, wire.CodeInvalid},
		} {
			is := is.New(t)
			_, _, err := s.dialing(&test.m)
			is.True(isCode(err, test.code))
		}
	})
	t.Run("wait", func(t *testing.T) {
		is := is.New(t)
		later := listenHere(t, is)
		later.m.Wait = true
		is.NoErr(later.Close())
		call, err := s.ch.Start(&channel.Request{Op: wire.OpDial, Args: later.m})
		is.NoErr(err)
		select {
		case <-call.Done():
			t.Error("nobody listens yet")
		case <-time.After(50 * time.Millisecond):
		}
		again, err := net.Listen("tcp4", later.Addr().String())
		is.NoErr(err)
		defer again.Close()
		is.NoErr(call.Result(context.Background(), nil))

		call, err = s.ch.Start(&channel.Request{Op: wire.OpDial, Args: &wire.Dial{Addrs: [][]byte{{127, 0, 0, 7}}, Port: 1, Wait: true}})
		is.NoErr(err)
		call.Cancel(true)
		is.True(isCode(call.Result(context.Background(), nil), wire.CodeAborted))
	})
	t.Run("nothing is left", func(t *testing.T) {
		is := is.New(t)
		before, err := s.files()
		if err != nil {
			t.Skip("only root can see them")
		}
		for i := range 200 {
			call, c := l.connect(t, is, s)
			switch i % 3 {
			case 0:
				is.NoErr(call.Stream.CloseWrite())
				call.Cancel(true)
			case 1:
				call.Cancel(true)
			default:
				is.NoErr(c.Close())
				is.NoErr(call.Stream.CloseWrite())
			}
			is.NoErr(call.Result(context.Background(), nil))
			c.Close()
		}
		_, _, err = s.dialing(&wire.Dial{Path: []byte("nothing")})
		is.True(err != nil)
		after, err := s.files()
		is.NoErr(err)
		is.Equal(after, before)
	})
}
