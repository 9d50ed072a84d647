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

// defaultExposedConns is how many connections an Exposed has at once unless told otherwise.
const defaultExposedConns = 256

// ExposeOptions say how Expose listens; nil is all defaults.
type ExposeOptions struct {
	// Listen is the address to listen on, as host:port, with the port 0 for a free one. An
	// empty host is 127.0.0.1: an address that others than this machine can reach has to be
	// written out. Default: "127.0.0.1:0".
	Listen string
	// MaxConns is how many connections may be open at once; more wait to be accepted.
	// Default: DefaultExposedConns.
	MaxConns int
}

// Exposed is a port of a sandbox that can be reached from the host.
type Exposed struct {
	sb       *Sandbox
	target   *target
	listener net.Listener
	slots    chan struct{} // one of it for each connection

	ctx  context.Context // until Close
	stop context.CancelFunc
	wg   sync.WaitGroup // what accepts, and each connection
}

// Expose listens on the host, on a free port of the loopback interface unless told
// otherwise, and passes each connection on to a port of the loopback interface in the
// sandbox. The bytes go through the channel as they are, without a published port or a
// network, and so do HTTP, WebSocket, server-sent events and TLS. It ends with Close or with
// the sandbox; ctx bounds the start only. Nobody has to listen inside yet: a connection that
// is refused there is reset here.
//
// Every user of the host can connect to it, and so can a web page in a browser of theirs:
// an address of 127.0.0.1 keeps other machines out, and nobody else. Whatever must not be
// seen by them needs a login of its own, or Dial in place of Expose. A server that trusts
// whoever comes from localhost should check the Host header of its requests, because a
// foreign page can give its own name that address (DNS rebinding).
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
		return nil, invalid("a limit of %d connections", o.MaxConns)
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

// Addr returns the address it listens on.
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
		// Such as no file descriptor left, which passes.
		x.sb.config.Logger.Warn("a connection could not be accepted", "sandbox", x.sb.Name(), "error", err)
		select {
		case <-time.After(acceptPause):
		case <-x.ctx.Done():
		}
	}
}

const (
	// acceptPause is how long an Exposed waits after it could not accept a connection.
	acceptPause = 100 * time.Millisecond
	// exposeTimeout is how long a server inside may take to accept one.
	exposeTimeout = 30 * time.Second
)

// serve passes on what comes over one connection, until both directions have ended.
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
		// A server that takes no more may still have something to say.
	})
	if _, err := io.Copy(client, server); err != nil {
		reset()
	} else {
		_ = client.CloseWrite()
	}
	up.Wait()
}
