package sandbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// defaultExposedConns is the default of ExposeOptions.MaxConns.
const defaultExposedConns = 256

// ExposeOptions say how Expose listens; nil is all defaults.
type ExposeOptions struct {
	// Listen is the address to listen on, as host:port; port 0 is any free port. An empty host
	// is 127.0.0.1: to listen on an address that other machines can reach, write it out.
	// Default: "127.0.0.1:0".
	Listen string
	// MaxConns is how many connections may be open at once. Further ones wait to be accepted.
	// Default: 256.
	MaxConns int
}

// Exposed is a port of a sandbox that can be reached from the host.
type Exposed struct {
	sb       *Sandbox
	target   *target
	listener net.Listener
	slots    chan struct{} // has an element for each open connection

	ctx  context.Context // until Close
	stop context.CancelFunc
	wg   sync.WaitGroup // accept, and serve for each connection
}

// Expose listens on the host, by default on a free port of the loopback interface, and passes
// each connection on to a port of the loopback interface in the sandbox. The bytes go through
// the channel unchanged, so HTTP, WebSocket, server-sent events and TLS work, without a
// published port or a network. Exposed ends with Close or with the sandbox; ctx bounds the
// start only. The server inside may start later: a connection that is refused inside is reset
// on the host.
//
// Every user of the host can connect, and so can a web page in any browser on the host: the
// address 127.0.0.1 keeps out other machines only. A server whose content must stay private
// needs a login of its own; or use Dial in place of Expose. A server that trusts connections
// from localhost should check the Host header of its requests, because a foreign web page can
// make its own name resolve to that address (DNS rebinding).
func (sb *Sandbox) Expose(ctx context.Context, port int, opts *ExposeOptions) (*Exposed, error) {
	x, err := sb.expose(ctx, port, opts)
	if err != nil {
		return nil, sb.failure("expose", strconv.Itoa(port), err)
	}
	return x, nil
}

func (sb *Sandbox) expose(ctx context.Context, port int, opts *ExposeOptions) (*Exposed, error) {
	o := orZero(opts)
	t, err := parseTarget("tcp", "localhost:"+strconv.Itoa(port))
	if err != nil {
		return nil, invalid("%w", err)
	}
	host, number, err := net.SplitHostPort(cmp.Or(o.Listen, ":0"))
	if err != nil {
		return nil, invalid("write an address such as 127.0.0.1:8080: %w", err)
	}
	if o.MaxConns < 0 {
		return nil, invalid("MaxConns is %d: give a positive number, or 0 for 256", o.MaxConns)
	}
	if err := sb.ch.Err(); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(cmp.Or(host, "127.0.0.1"), number))
	if err != nil {
		return nil, err
	}
	x := &Exposed{sb: sb, target: t, listener: listener,
		slots: make(chan struct{}, cmp.Or(o.MaxConns, defaultExposedConns))}
	x.ctx, x.stop = context.WithCancel(sb.ctx)
	x.wg.Go(x.accept)
	context.AfterFunc(x.ctx, func() { listener.Close() })
	if !sb.goWhileAlive(func() {
		<-x.ctx.Done()
		x.wg.Wait()
	}) {
		x.Close()
		return nil, sb.ch.Err()
	}
	return x, nil
}

// Addr returns the address that x listens on.
func (x *Exposed) Addr() net.Addr { return x.listener.Addr() }

// URL returns the address for a browser on this host, such as "http://127.0.0.1:41234".
func (x *Exposed) URL() string {
	addr := x.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// Close stops listening, resets the connections, and returns when they have ended. It may be
// called any number of times.
func (x *Exposed) Close() error {
	x.stop()
	x.listener.Close()
	x.wg.Wait()
	return nil
}

// accept takes connections until the listener is closed.
func (x *Exposed) accept() {
	for {
		select {
		case x.slots <- struct{}{}:
		case <-x.ctx.Done():
			return
		}
		client, err := x.listener.Accept()
		if err == nil {
			x.wg.Go(func() {
				defer func() { <-x.slots }()
				x.serve(client.(*net.TCPConn))
			})
			continue
		}
		<-x.slots
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// A lack of file descriptors, for example, which passes.
		x.sb.config.Logger.Warn("a connection could not be accepted", "sandbox", x.sb.Name(), "error", err)
		select {
		case <-time.After(acceptPause):
		case <-x.ctx.Done():
		}
	}
}

const (
	// acceptPause is how long an Exposed waits after a connection that it could not accept.
	acceptPause = 100 * time.Millisecond
	// exposeTimeout is how long the server inside may take to accept a connection.
	exposeTimeout = 30 * time.Second
)

// serve copies both directions of a connection until both have ended.
func (x *Exposed) serve(client *net.TCPConn) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(x.ctx, exposeTimeout)
	server, err := x.sb.dial(ctx, x.target)
	cancel()
	if err != nil {
		_ = client.SetLinger(0) // a reset, not an empty answer
		if x.ctx.Err() == nil {
			x.sb.config.Logger.Info("a connection to an exposed port failed", "sandbox", x.sb.Name(),
				"port", x.target.port, "error", printable.Text(err.Error()))
		}
		return
	}
	defer server.Close()
	reset := func() {
		_ = client.SetLinger(0)
		client.Close()
		server.abort()
	}
	defer context.AfterFunc(x.ctx, reset)()
	var up sync.WaitGroup
	up.Go(func() {
		from := &errReader{r: client}
		_, err := io.Copy(server, from)
		switch {
		case err == nil:
			_ = server.CloseWrite()
		case from.err != nil:
			reset()
		}
		// If the server reads no more, it may still write.
	})
	if _, err := io.Copy(client, server); err != nil {
		reset()
	} else {
		_ = client.CloseWrite()
	}
	up.Wait()
}
