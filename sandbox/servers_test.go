package sandbox_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

//go:embed testdata/servers.py
var serversProgram []byte

// The ports of testdata/servers.py.
const (
	portHTTP = 8000 + iota
	portEcho
	portReset
	portHalf
	portHeld
	portFate
	portEcho6
	portNone // no server listens there
)

// serving opens a sandbox without a network in which the servers run.
func serving(t testing.TB, opts sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	is := is.New(t)
	opts.Runtime = "python-minimal"
	sb := enginetest.Open(t, opts)
	ctx := context.Background()
	_, err := sb.WriteFile(ctx, "servers.py", serversProgram, nil)
	is.NoErr(err)
	_, err = sb.Command("python3", "servers.py").Background(ctx, nil)
	is.NoErr(err)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	is.NoErr(sb.WaitPort(ctx, portHTTP)) // the last that it opens
	return sb
}

// dial connects to a port, for no longer than the test goes on.
func dial(t testing.TB, sb *sandbox.Sandbox, port int) net.Conn {
	t.Helper()
	c, err := sb.Dial(context.Background(), "tcp", fmt.Sprint("localhost:", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs says nothing
	return c
}

// expose exposes a port, for no longer than the test goes on.
func expose(t testing.TB, sb *sandbox.Sandbox, port int, opts *sandbox.ExposeOptions) *sandbox.Exposed {
	t.Helper()
	x, err := sb.Expose(context.Background(), port, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// via are the two ways to a server inside: each returns a client and the URL without its path.
func via(t testing.TB, sb *sandbox.Sandbox) map[string]func() (*http.Client, string) {
	return map[string]func() (*http.Client, string){
		"transport": func() (*http.Client, string) {
			transport := sb.Transport()
			t.Cleanup(transport.CloseIdleConnections)
			return &http.Client{Transport: transport, Timeout: 20 * time.Second}, fmt.Sprint("http://localhost:", portHTTP)
		},
		"expose": func() (*http.Client, string) {
			transport := &http.Transport{MaxIdleConnsPerHost: 100}
			t.Cleanup(transport.CloseIdleConnections)
			return &http.Client{Transport: transport, Timeout: 20 * time.Second}, expose(t, sb, portHTTP, nil).URL()
		},
	}
}

func get(c *http.Client, url string) (string, error) {
	r, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(r.Status)
	}
	return string(body), err
}
