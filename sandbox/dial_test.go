package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// An http.Client reaches a server inside by Transport and by Expose, with bodies and in parallel.
func TestHTTP(t *testing.T) {
	sb := serving(t, sandbox.Options{})
	for name, way := range via(t, sb) {
		t.Run(name, func(t *testing.T) {
			client, url := way()

			t.Run("keep alive", func(t *testing.T) {
				is := is.New(t)
				first, err := get(client, url+"/client")
				is.NoErr(err)
				second, err := get(client, url+"/client")
				is.NoErr(err)
				is.Equal(first, second) // the same connection
			})
			t.Run("bodies", func(t *testing.T) {
				is := is.New(t)
				sent := make([]byte, 3<<20+1)
				_, _ = rand.Read(sent)
				r, err := client.Post(url+"/", "application/octet-stream", bytes.NewReader(sent))
				is.NoErr(err)
				defer r.Body.Close()
				got, err := io.ReadAll(r.Body)
				is.NoErr(err)
				is.True(bytes.Equal(got, sent)) // both ways, byte for byte
			})
			t.Run("100 at once", func(t *testing.T) {
				is := is.New(t)
				errs := make([]error, 100)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() {
						want := fmt.Sprintf("hello /%d", i)
						got, err := get(client, fmt.Sprintf("%s/%d", url, i))
						if err == nil && got != want {
							err = fmt.Errorf("got %q, want %q", got, want)
						}
						errs[i] = err
					})
				}
				wg.Wait()
				is.NoErr(errors.Join(errs...))
			})
		})
	}
}

// An event arrives while the response goes on: the server waits for a request that the test
// sends after it has seen the first.
func TestServerSentEvents(t *testing.T) {
	is := is.New(t)
	sb := serving(t, sandbox.Options{})
	client, url := via(t, sb)["expose"]()
	r, err := client.Get(url + "/events")
	is.NoErr(err)
	defer r.Body.Close()
	lines := bufio.NewReader(r.Body)
	line, err := lines.ReadString('\n')
	is.NoErr(err)
	is.Equal(line, "data: 1\n")
	_, err = get(client, url+"/next")
	is.NoErr(err)
	rest, err := io.ReadAll(lines)
	is.NoErr(err)
	is.Equal(string(rest), "\ndata: 2\n\n")
}

// RFC 6455 as far as an echo needs it, over what Expose gives a browser.
func TestWebSocket(t *testing.T) {
	is := is.New(t)
	sb := serving(t, sandbox.Options{})
	c, err := net.Dial("tcp", expose(t, sb, portHTTP, nil).Addr().String())
	is.NoErr(err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	is.NoErr(err)
	from := bufio.NewReader(c)
	r, err := http.ReadResponse(from, nil)
	is.NoErr(err)
	is.Equal(r.StatusCode, http.StatusSwitchingProtocols)
	is.Equal(r.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") // RFC 6455, section 1.3

	const final, text, closing = 0x80, 1, 8
	exchange := func(opcode byte, message string) string {
		frame := []byte{final | opcode}
		if len(message) < 126 {
			frame = append(frame, final|byte(len(message)))
		} else {
			frame = binary.BigEndian.AppendUint16(append(frame, final|126), uint16(len(message)))
		}
		mask := []byte{1, 2, 3, 4}
		frame = append(frame, mask...)
		for i, b := range []byte(message) {
			frame = append(frame, b^mask[i%4])
		}
		_, err := c.Write(frame)
		is.NoErr(err)
		var head [2]byte
		_, err = io.ReadFull(from, head[:])
		is.NoErr(err)
		is.Equal(head[0], final|opcode)
		n := int(head[1])
		if n == 126 {
			_, err = io.ReadFull(from, head[:])
			is.NoErr(err)
			n = int(binary.BigEndian.Uint16(head[:]))
		}
		answer := make([]byte, n)
		_, err = io.ReadFull(from, answer)
		is.NoErr(err)
		return string(answer)
	}
	for _, message := range []string{"hello", "", strings.Repeat("long ", 10000)} {
		is.Equal(exchange(text, message), message)
	}
	is.Equal(exchange(closing, "\x03\xe8"), "\x03\xe8")
	_, err = from.ReadByte()
	is.Equal(err, io.EOF)
}

// Dial reaches TCP and unix sockets inside and nothing beyond, and its errors are the standard ones.
func TestDial(t *testing.T) {
	sb := serving(t, sandbox.Options{})
	ctx := context.Background()
	echoes := func(is *is.I, c net.Conn) {
		is.Helper()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, err := io.WriteString(c, "echo")
		is.NoErr(err)
		is.NoErr(c.(interface{ CloseWrite() error }).CloseWrite())
		got, err := io.ReadAll(c)
		is.NoErr(err)
		is.Equal(string(got), "echobye") // what it says after our end still comes
		_, err = c.Write([]byte("x"))
		is.True(errors.Is(err, syscall.EPIPE)) // after our own end
	}
	for _, test := range []struct{ network, address, remote string }{
		{"tcp", "localhost:8001", "127.0.0.1:8001"},
		{"tcp", ":8001", "127.0.0.1:8001"},
		{"tcp4", "LOCALHOST:8001", "127.0.0.1:8001"},
		{"tcp", "0.0.0.0:8001", "127.0.0.1:8001"},
		{"tcp", "[::ffff:127.0.0.1]:8001", "127.0.0.1:8001"},
		{"unix", "echo.sock", "echo.sock"},
		{"unix", "./echo.sock", "./echo.sock"},
		{"unix", "@echo", "@echo"},
	} {
		t.Run(test.network+" "+test.address, func(t *testing.T) {
			is := is.New(t)
			c, err := sb.Dial(ctx, test.network, test.address)
			is.NoErr(err)
			is.Equal(c.RemoteAddr().String(), test.remote)
			is.Equal(c.RemoteAddr().Network(), strings.TrimRight(test.network, "46"))
			is.Equal(c.LocalAddr().Network(), c.RemoteAddr().Network())
			echoes(is, c)
		})
	}
	t.Run("IPv6", func(t *testing.T) {
		is := is.New(t)
		if file, err := sb.ReadFile(ctx, "/proc/net/if_inet6", nil); err != nil || len(file) == 0 {
			t.Skip("the container has no IPv6")
		}
		for _, address := range []string{"localhost:8006", "[::1]:8006", "[::]:8006"} {
			c, err := sb.Dial(ctx, "tcp", address)
			is.NoErr(err)
			is.Equal(c.RemoteAddr().String(), "[::1]:8006")
			echoes(is, c)
		}
	})
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.Dial(ctx, "tcp", fmt.Sprint("localhost:", portNone))
		e, ok := errors.AsType[*sandbox.Error](err)
		is.True(ok)
		is.Equal([]string{e.Op, e.Name, string(e.Code)}, []string{"dial", "localhost:8007", "refused"})
		is.True(errors.Is(err, syscall.ECONNREFUSED))
		_, err = sb.Dial(ctx, "unix", "nothing.sock")
		is.True(errors.Is(err, fs.ErrNotExist))
		_, err = sb.Dial(ctx, "unix", "@drydock")
		is.True(errors.Is(err, fs.ErrPermission)) // the guest would take itself for a host
		_, err = sb.Dial(ctx, "unix", strings.Repeat("x", 200))
		is.Equal(codeOf(err), sandbox.CodeNameTooLong)
	})
	t.Run("elsewhere", func(t *testing.T) {
		is := is.New(t)
		for _, address := range []string{"example.com:80", "169.254.169.254:80", "[fe80::1%lo]:80", "localhost", "localhost:http", "localhost:0"} {
			_, err := sb.Dial(ctx, "tcp", address)
			is.True(errors.Is(err, fs.ErrInvalid))
		}
		_, err := sb.Dial(ctx, "udp", "localhost:53")
		is.True(errors.Is(err, fs.ErrInvalid))
	})
	t.Run("context", func(t *testing.T) {
		is := is.New(t)
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(ctx)
		c, err := sb.Dial(ctx, "tcp", "localhost:8001")
		is.NoErr(err)
		cancel(enough)
		echoes(is, c) // it bounds the connecting only
		_, err = sb.Dial(ctx, "tcp", "localhost:8001")
		is.True(errors.Is(err, enough))
		late, cancel2 := context.WithTimeout(context.Background(), -1)
		defer cancel2()
		_, err = sb.Dial(late, "tcp", "localhost:8001")
		ne, ok := errors.AsType[net.Error](err)
		is.True(ok && ne.Timeout())
	})
}

// Each way to end a connection arrives at the other end as that one, and leaks nothing.
func TestConnectionEnds(t *testing.T) {
	sb := serving(t, sandbox.Options{})
	ctx := context.Background()
	// content waits for a file that a server writes, and removes it.
	content := func(is *is.I, sb *sandbox.Sandbox, name string) string {
		is.Helper()
		var data []byte
		is.NoErr(waitFor(func() (there bool) {
			var err error
			data, err = sb.ReadFile(ctx, name, nil)
			return err == nil
		}))
		is.NoErr(sb.Remove(ctx, name))
		return string(data)
	}
	t.Run("the server's end is no end of ours", func(t *testing.T) {
		is := is.New(t)
		c := dial(t, sb, portHalf)
		got, err := io.ReadAll(c)
		is.NoErr(err)
		is.Equal(string(got), "that is all")
		sent := bytes.Repeat([]byte("0123456789"), 200_000)
		_, err = c.Write(sent)
		is.NoErr(err)
		is.NoErr(c.Close()) // what was written still arrives
		is.Equal(content(is, sb, "half"), string(sent))
	})
	t.Run("reset inside", func(t *testing.T) {
		is := is.New(t)
		c := dial(t, sb, portReset)
		buf := make([]byte, 10)
		n, err := c.Read(buf)
		is.NoErr(err)
		is.Equal(string(buf[:n]), "hi")
		_, err = c.Write([]byte("x"))
		is.NoErr(err)
		_, err = c.Read(buf)
		is.True(errors.Is(err, syscall.ECONNRESET))
		_, err = c.Write([]byte("x"))
		is.True(errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET))

		client, err := net.Dial("tcp", expose(t, sb, portReset, nil).Addr().String())
		is.NoErr(err)
		defer client.Close()
		_, err = client.Write([]byte("x"))
		is.NoErr(err)
		_, err = io.Copy(io.Discard, client)
		is.True(errors.Is(err, syscall.ECONNRESET)) // and not an end
	})
	t.Run("closed outside", func(t *testing.T) {
		is := is.New(t)
		c := dial(t, sb, portFate)
		_, err := c.Write([]byte("x"))
		is.NoErr(err)
		is.NoErr(c.Close())
		is.Equal(content(is, sb, "fate"), "end")
	})
	t.Run("reset outside", func(t *testing.T) {
		is := is.New(t)
		client, err := net.Dial("tcp", expose(t, sb, portFate, nil).Addr().String())
		is.NoErr(err)
		_, err = client.Write([]byte("x"))
		is.NoErr(err)
		is.NoErr(waitFor(func() bool { return sb.Idle() == 0 })) // it has got through
		is.NoErr(client.(*net.TCPConn).SetLinger(0))
		is.NoErr(client.Close())
		is.Equal(content(is, sb, "fate"), "reset")
	})
	t.Run("left with a lease", func(t *testing.T) {
		is := is.New(t)
		leased := serving(t, sandbox.Options{Lease: time.Minute})
		c := dial(t, leased, portFate)
		_, err := c.Write([]byte("half a mess"))
		is.NoErr(err)
		is.NoErr(leased.Detach())
		e, _ := enginetest.Engine(t)
		again, err := sandbox.Adopt(ctx, leased.Name(), &sandbox.Options{Engine: e})
		is.NoErr(err)
		defer again.Close()
		is.Equal(content(is, again, "fate"), "reset") // nobody is there to say the rest
	})
	t.Run("refused behind Expose", func(t *testing.T) {
		is := is.New(t)
		client, err := net.Dial("tcp", expose(t, sb, portNone, nil).Addr().String())
		if err == nil { // else the reset was faster than Dial
			defer client.Close()
			_ = client.SetDeadline(time.Now().Add(20 * time.Second))
			_, err = client.Read(make([]byte, 1))
		}
		is.True(errors.Is(err, syscall.ECONNRESET))
	})
	t.Run("a reader that stops", func(t *testing.T) {
		is := is.New(t)
		c := dial(t, sb, portHeld)
		_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := c.Write(make([]byte, 64<<20))
		is.True(errors.Is(err, os.ErrDeadlineExceeded)) // it is held back
		t.Logf("%d bytes were taken", n)
		is.True(n > 0 && n < 16<<20)
		other := dial(t, sb, portEcho)
		_, err = other.Write([]byte("x"))
		is.NoErr(err)
		_, err = io.ReadFull(other, make([]byte, 1))
		is.NoErr(err) // and nobody else
		_, err = sb.Exec(ctx, "true")
		is.NoErr(err)
	})
}

// Deadlines of a connection work as those of net.Conn do.
func TestConnectionDeadlines(t *testing.T) {
	is := is.New(t)
	sb := serving(t, sandbox.Options{})
	c := dial(t, sb, portEcho)
	buf := make([]byte, 10)
	is.NoErr(c.SetReadDeadline(time.Now().Add(30 * time.Millisecond)))
	_, err := c.Read(buf)
	is.True(errors.Is(err, os.ErrDeadlineExceeded))
	ne, ok := errors.AsType[net.Error](err)
	is.True(ok && ne.Timeout())
	is.NoErr(c.SetDeadline(time.Time{}))
	_, err = c.Write([]byte("hello"))
	is.NoErr(err)
	_, err = io.ReadFull(c, buf[:5])
	is.NoErr(err) // it goes on
	is.Equal(string(buf[:5]), "hello")

	// Close, and a deadline in the past, end a Read that waits.
	for _, wake := range []func() error{func() error { return c.SetReadDeadline(time.Unix(1, 0)) }, c.Close} {
		is.NoErr(c.SetReadDeadline(time.Time{}))
		failed := make(chan error)
		go func() {
			_, err := c.Read(buf)
			failed <- err
		}()
		time.Sleep(10 * time.Millisecond)
		is.NoErr(wake())
		err = <-failed
		is.True(errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed))
	}
	is.NoErr(c.Close()) // again
	_, err = c.Write(buf)
	is.True(errors.Is(err, net.ErrClosed))
	_, err = c.Read(buf)
	is.True(errors.Is(err, net.ErrClosed))
	is.True(errors.Is(c.SetDeadline(time.Time{}), net.ErrClosed))
}

func TestWaitPort(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := sb.Command("sh", "-c", "sleep 0.3; exec nc -l -p 9000").Background(ctx, nil)
	is.NoErr(err)
	start := time.Now()
	is.NoErr(sb.WaitPort(ctx, 9000))
	is.True(time.Since(start) > 200*time.Millisecond) // it did wait

	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err = sb.WaitPort(short, 9001)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.True(errors.Is(sb.WaitPort(ctx, 0), fs.ErrInvalid))
	is.NoErr(waitFor(func() bool { return sb.Idle() > 0 })) // the guest has given up, too

	// Nothing of this takes a program of the image.
	none := enginetest.Open(t, sandbox.Options{Image: enginetest.Static})
	_, err = none.Dial(ctx, "tcp", "localhost:9000")
	is.True(errors.Is(err, syscall.ECONNREFUSED))
}

// If the sandbox ends, open connections fail with the reason and no goroutine stays.
func TestSandboxEndsUnderConnections(t *testing.T) {
	e, _ := enginetest.Engine(t)
	for _, test := range []struct {
		name string
		end  func(sb *sandbox.Sandbox)
		want error
	}{
		{"closed", func(sb *sandbox.Sandbox) { sb.Close() }, sandbox.ErrClosed},
		// The guest goes first: a server that did would end its connection by itself.
		{"lost", func(sb *sandbox.Sandbox) { _ = e.Remove(context.Background(), sb.Name()) }, sandbox.ErrLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			before := runtime.NumGoroutine()
			sb := serving(t, sandbox.Options{})
			x := expose(t, sb, portEcho, nil)
			client, err := net.Dial("tcp", x.Addr().String())
			is.NoErr(err)
			defer client.Close()
			_, err = client.Write([]byte("x"))
			is.NoErr(err)
			_, err = io.ReadFull(client, make([]byte, 1))
			is.NoErr(err)
			c := dial(t, sb, portEcho)
			failed := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 1))
				failed <- err
			}()
			go test.end(sb)
			is.True(errors.Is(<-failed, test.want))
			_, err = c.Write([]byte("x"))
			is.True(errors.Is(err, test.want))
			_, err = client.Read(make([]byte, 1))
			is.True(errors.Is(err, syscall.ECONNRESET))
			<-sb.Done()
			is.NoErr(x.Close())
			_, err = sb.Dial(context.Background(), "tcp", "localhost:8001")
			is.True(errors.Is(err, test.want))
			_, err = sb.Expose(context.Background(), portEcho, nil)
			is.True(errors.Is(err, test.want))
			is.NoErr(waitFor(func() bool { return runtime.NumGoroutine() <= before+1 })) // the sweep may be one
		})
	}
}

// What a connection takes is given back, on the host and in the guest.
func TestConnectionsLeaveNothing(t *testing.T) {
	is := is.New(t)
	sb := serving(t, sandbox.Options{})
	ctx := context.Background()
	// The guest's own descriptors are not to be seen, but the kernel counts its sockets.
	sockets := func() (n int) {
		data, err := sb.ReadFile(ctx, "/proc/net/sockstat", nil)
		is.NoErr(err)
		_, err = fmt.Sscanf(string(data), "sockets: used %d", &n)
		is.NoErr(err)
		return n
	}
	before, goroutines := sockets(), runtime.NumGoroutine()
	for i := range 200 {
		c, err := sb.Dial(ctx, "tcp", fmt.Sprint("localhost:", portEcho))
		is.NoErr(err)
		_, err = c.Write([]byte("x"))
		is.NoErr(err)
		if i%2 == 0 {
			_, err = io.ReadFull(c, make([]byte, 1))
			is.NoErr(err)
		}
		is.NoErr(c.Close())
	}
	is.NoErr(waitFor(func() bool { return sb.Idle() > 0 }))
	is.NoErr(waitFor(func() bool { return sockets() <= before }))
	is.NoErr(waitFor(func() bool { return runtime.NumGoroutine() <= goroutines }))
}

// BenchmarkConnectionBulk sends 64 MiB through an echo server inside and back.
func BenchmarkConnectionBulk(b *testing.B) {
	sb := serving(b, sandbox.Options{})
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		c, err := sb.Dial(context.Background(), "tcp", fmt.Sprint("localhost:", portEcho))
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			_, _ = c.Write(make([]byte, size))
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
		}()
		n, err := io.Copy(io.Discard, c)
		if err != nil || n != size+int64(len("bye")) {
			b.Fatal(n, err)
		}
		c.Close()
	}
}
