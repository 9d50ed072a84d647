package sandbox_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Expose listens on the given address, keeps to MaxConns, and resets all when it is closed.
func TestExposeListens(t *testing.T) {
	is := is.New(t)
	sb := serving(t, sandbox.Options{})
	ctx := context.Background()
	x := expose(t, sb, portEcho, nil)
	addr := x.Addr().(*net.TCPAddr)
	is.True(addr.IP.IsLoopback())
	is.Equal(x.URL(), "http://"+addr.String())
	is.True(sb.Idle() > 0) // nobody uses it
	_, err := sb.Expose(ctx, portEcho, &sandbox.ExposeOptions{Listen: addr.String()})
	is.True(errors.Is(err, syscall.EADDRINUSE))
	is.True(expose(t, sb, portEcho, &sandbox.ExposeOptions{Listen: ":0"}).Addr().(*net.TCPAddr).IP.IsLoopback())
	all := expose(t, sb, portEcho, &sandbox.ExposeOptions{Listen: "0.0.0.0:0"})
	is.True(all.Addr().(*net.TCPAddr).IP.IsUnspecified()) // as it was written
	is.True(strings.HasPrefix(all.URL(), "http://localhost:"))
	for _, o := range []sandbox.ExposeOptions{{Listen: "8080"}, {MaxConns: -1}} {
		_, err = sb.Expose(ctx, portEcho, &o)
		is.True(errors.Is(err, fs.ErrInvalid))
	}
	_, err = sb.Expose(ctx, 70000, nil)
	is.True(errors.Is(err, fs.ErrInvalid))

	// The third connection waits until there is room.
	narrow := expose(t, sb, portEcho, &sandbox.ExposeOptions{MaxConns: 2})
	var conns []net.Conn
	answered := make(chan int, 3)
	for i := range 3 {
		c, err := net.Dial("tcp", narrow.Addr().String())
		is.NoErr(err)
		defer c.Close()
		_, err = c.Write([]byte("x"))
		is.NoErr(err)
		conns = append(conns, c)
		go func() {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				answered <- i
			}
		}()
	}
	is.True(<-answered != 2)
	is.True(<-answered != 2)
	select {
	case <-answered:
		t.Error("a third connection at once")
	case <-time.After(50 * time.Millisecond):
	}
	is.Equal(sb.Idle(), time.Duration(0)) // they do
	is.NoErr(conns[0].Close())
	is.Equal(<-answered, 2)
	is.NoErr(narrow.Close())
	_, err = io.Copy(io.Discard, conns[1])
	is.True(errors.Is(err, syscall.ECONNRESET)) // ended with it
	_, err = net.Dial("tcp", narrow.Addr().String())
	is.True(errors.Is(err, syscall.ECONNREFUSED))
	is.NoErr(narrow.Close()) // again
}

// BenchmarkExpose times a small GET, and one byte there and back. For comparison the host also
// reaches the same server directly, over the container's network.
func BenchmarkExpose(b *testing.B) {
	is := is.New(b)
	sb := serving(b, sandbox.Options{Network: "bridge"})
	_, cli := enginetest.Engine(b)
	out, err := exec.Command(cli, "inspect", "--format={{.NetworkSettings.IPAddress}}", sb.Name()).Output()
	is.NoErr(err)
	ip := strings.TrimSpace(string(out))
	direct := &http.Client{Timeout: 10 * time.Second}
	exposed, url := via(b, sb)["expose"]()
	transport, inside := via(b, sb)["transport"]()
	if _, err := get(direct, fmt.Sprintf("http://%s:%d/", ip, portHTTP)); err != nil {
		b.Skip("the host does not reach the container's network: ", err)
	}
	echo := dial(b, sb, portEcho)
	_ = echo.SetDeadline(time.Time{})
	buf := make([]byte, 1)
	compare(b,
		&rival{name: "direct", do: func() error { _, err := get(direct, fmt.Sprintf("http://%s:%d/", ip, portHTTP)); return err }},
		&rival{name: "expose", do: func() error { _, err := get(exposed, url); return err }},
		&rival{name: "transport", do: func() error { _, err := get(transport, inside); return err }},
		&rival{name: "dial", do: func() error {
			c, err := sb.Dial(context.Background(), "tcp", fmt.Sprint("localhost:", portEcho))
			if err == nil {
				err = c.Close()
			}
			return err
		}},
		&rival{name: "echo", do: func() error {
			_, err := echo.Write(buf)
			if err == nil {
				_, err = io.ReadFull(echo, buf)
			}
			return err
		}},
	)
}
