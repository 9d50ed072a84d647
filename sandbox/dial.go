package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Dial connects to a server in the sandbox through the channel. It needs no published port
// and no network. It has the shape of net.Dialer.DialContext, so clients of databases and of
// gRPC can use it.
//
// For the networks "tcp", "tcp4" and "tcp6" the address is host:port. The host is empty,
// "localhost", or an IP address that is loopback or unspecified; an empty host is "localhost",
// which tries 127.0.0.1 and then ::1. For the network "unix" the address is the path of a
// socket, relative to the work dir, or an abstract name such as "@name". Any other address is
// an error: Dial reaches the sandbox itself and nothing beyond.
//
// If no server listens on the port, the error has CodeRefused and is syscall.ECONNREFUSED.
// ctx bounds the connecting only.
//
// The connection ends as one of TCP does: bytes that were written before Close still arrive,
// and after a reset by the server Read returns syscall.ECONNRESET. Like *net.TCPConn, it has
// the method CloseWrite() error. An open connection counts as an operation for Idle. If the
// sandbox ends, reads and writes fail with ErrClosed or ErrLost.
func (sb *Sandbox) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	t, err := parseTarget(network, address)
	if err != nil {
		return nil, failure("dial", address, invalid("%w", err))
	}
	c, err := sb.dial(ctx, t)
	if err != nil {
		return nil, sb.failure("dial", address, err)
	}
	return c, nil
}

// WaitPort waits until a server in the sandbox accepts a connection on a port of the loopback
// interface, and closes that connection. The guest tries every 5 to 100 ms until ctx ends;
// then the error is its cause. Give ctx a deadline: WaitPort does not give up by itself.
func (sb *Sandbox) WaitPort(ctx context.Context, port int) error {
	name := strconv.Itoa(port)
	t, err := parseTarget("tcp", "localhost:"+name)
	if err != nil {
		return failure("wait for port", name, invalid("%w", err))
	}
	m := t.message()
	m.Wait = true
	return sb.failure("wait for port", name, sb.do(ctx, wire.OpDial, m, nil))
}

// transportIdle is how long a Transport keeps an unused connection. It is short, because an
// open connection keeps the sandbox from being Idle.
const transportIdle = 30 * time.Second

// Transport returns a transport with which an http.Client reaches servers in the sandbox, by
// http or https. The host and port of a URL are as for Dial. For https, set TLSClientConfig to
// trust the server's certificate.
//
// Each call returns a new transport with idle connections of its own, kept for 30 s: call it
// once and share the transport. It never uses a proxy, and ends with the sandbox.
func (sb *Sandbox) Transport() *http.Transport {
	return &http.Transport{
		DialContext:         sb.Dial,
		ForceAttemptHTTP2:   true, // with a DialContext net/http does not try HTTP/2 otherwise
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     transportIdle,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

// target is a server inside to connect to.
type target struct {
	network string
	addrs   []netip.Addr
	port    uint16
	path    string // of a unix socket; addrs and port are not set then
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// parseTarget checks the arguments of Dial.
func parseTarget(network, address string) (*target, error) {
	t := &target{network: network}
	switch network {
	case "tcp", "tcp4", "tcp6":
	case "unix":
		if address == "" || strings.Contains(address, "\x00") {
			return nil, errors.New("write the path of a socket, or @ and its abstract name")
		}
		t.path = address
		return t, nil
	default:
		return nil, fmt.Errorf("network %q: write tcp, tcp4, tcp6 or unix", network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("write localhost and a port, such as localhost:8000: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return nil, fmt.Errorf("port %q: write a number from 1 to 65535", port)
	}
	t.port = uint16(number)
	if host == "" || strings.EqualFold(host, "localhost") {
		t.addrs = []netip.Addr{loopback4, loopback6}
	} else {
		ip, err := netip.ParseAddr(host)
		ip = ip.Unmap()
		switch {
		case err != nil || ip.Zone() != "" || !ip.IsLoopback() && !ip.IsUnspecified():
			return nil, fmt.Errorf("host %q: Dial reaches servers in the sandbox itself only: write localhost", host)
		case !ip.IsUnspecified():
			t.addrs = []netip.Addr{ip}
		case ip.Is4():
			t.addrs = []netip.Addr{loopback4}
		default:
			t.addrs = []netip.Addr{loopback6}
		}
	}
	var fit []netip.Addr
	for _, ip := range t.addrs {
		if network == "tcp" || ip.Is4() == (network == "tcp4") {
			fit = append(fit, ip)
		}
	}
	if len(fit) == 0 {
		return nil, fmt.Errorf("host %q is no address of network %s", host, network)
	}
	t.addrs = fit
	return t, nil
}

func (t *target) message() *wire.Dial {
	m := &wire.Dial{Port: t.port, Path: []byte(t.path)}
	for _, ip := range t.addrs {
		m.Addrs = append(m.Addrs, ip.AsSlice())
	}
	return m
}

// connAddrs returns the addresses of a connection to the target.
func (t *target) connAddrs(d wire.Dialed) (local, remote net.Addr, err error) {
	if t.path != "" {
		return &net.UnixAddr{Net: "unix"}, &net.UnixAddr{Name: t.path, Net: "unix"}, nil
	}
	if int(d.Which) >= len(t.addrs) {
		return nil, nil, &wire.ProtocolError{Reason: "connected to an address that was not asked for"}
	}
	ip, own := t.addrs[d.Which], loopback4
	if ip.Is6() {
		own = loopback6
	}
	tcp := func(ip netip.Addr, port uint16) net.Addr {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port))
	}
	return tcp(own, d.Port), tcp(ip, t.port), nil
}

// dial connects to a target and waits until the connection stands.
func (sb *Sandbox) dial(ctx context.Context, t *target) (*dialedConn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	call, err := sb.ch.Start(&channel.Request{Op: wire.OpDial, Args: t.message()})
	if err != nil {
		return nil, err
	}
	call.Stream.Spare()
	stop := context.AfterFunc(ctx, func() {
		call.Cancel(true)
		call.Stream.Abort(context.Cause(ctx))
	})
	var first [wire.DialedSize]byte
	_, err = io.ReadFull(call.Stream, first[:])
	if !stop() {
		return nil, context.Cause(ctx)
	}
	c := &dialedConn{sb: sb, call: call, network: t.network}
	switch {
	case err == nil:
		c.local, c.remote, err = t.connAddrs(wire.DecodeDialed(first))
	case call.Stream.Ended():
		err = &wire.ProtocolError{Reason: "a connection that ended before it was there"}
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		// The call has a reply, or the channel has ended.
		if err = call.Result(ctx, nil); err == nil {
			err = &wire.ProtocolError{Reason: "no connection, and no error"}
		}
	}
	if _, violation := errors.AsType[*wire.ProtocolError](err); violation {
		sb.ch.Fail(err)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialedConn is a connection to a server inside.
type dialedConn struct {
	sb            *Sandbox
	call          *channel.Call
	network       string
	local, remote net.Addr

	reading, writing sync.Mutex // a stream takes one reader and one writer at a time
	closed           atomic.Bool
}

func (c *dialedConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.call.Stream.Read(p)
	switch {
	case c.closed.Load():
		// Bytes that have come since Close are dropped: they answer the end that Close sent.
		return 0, c.failure("read", net.ErrClosed)
	case err == io.EOF && c.call.Stream.Ended():
		return n, io.EOF
	case err == io.EOF:
		// The server did not end the stream: the call itself has ended.
		if err = c.call.Result(context.Background(), nil); err == nil {
			err = syscall.ECONNRESET
		}
	}
	return n, c.failure("read", err)
}

func (c *dialedConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.call.Stream.Write(p)
	return n, c.failure("write", err)
}

// CloseWrite tells the server that no more bytes follow; reading goes on.
func (c *dialedConn) CloseWrite() error {
	err := c.call.Stream.CloseWrite()
	if err == io.ErrClosedPipe && !c.closed.Load() {
		return nil // CloseWrite was called before
	}
	return c.failure("close", err)
}

// Close ends the connection. The server gets what was written before, and the end.
func (c *dialedConn) Close() error {
	c.end(true)
	return nil
}

// abort ends the connection with a reset.
func (c *dialedConn) abort() { c.end(false) }

func (c *dialedConn) end(graceful bool) {
	if c.closed.Swap(true) {
		return
	}
	if graceful {
		// It fails if it was called before or the server has gone.
		_ = c.call.Stream.CloseWrite()
	}
	select {
	case <-c.call.Done():
	default:
		c.call.Cancel(true)
	}
	c.call.Stream.Abort(net.ErrClosed)
	// The timers of deadlines would keep the stream in memory.
	c.call.Stream.SetReadDeadline(time.Time{})
	c.call.Stream.SetWriteDeadline(time.Time{})
}

func (c *dialedConn) LocalAddr() net.Addr  { return c.local }
func (c *dialedConn) RemoteAddr() net.Addr { return c.remote }

func (c *dialedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *dialedConn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(c.call.Stream.SetReadDeadline, t)
}

func (c *dialedConn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(c.call.Stream.SetWriteDeadline, t)
}

func (c *dialedConn) setDeadline(set func(time.Time), t time.Time) error {
	if c.closed.Load() {
		return c.failure("set", net.ErrClosed)
	}
	set(t)
	return nil
}

// failure makes the error of a stream one of a connection.
func (c *dialedConn) failure(op string, err error) error {
	if err == nil {
		return nil
	}
	remote, refused := errors.AsType[*wire.Error](err)
	ended := c.sb.ch.Err()
	switch {
	case c.closed.Load():
		err = net.ErrClosed
	case refused && remote.Code == wire.CodeReset:
		err = syscall.ECONNRESET
	case refused:
		err = errors.New(printable.Text(remote.Text))
	case err == wire.ErrReset, err == io.ErrClosedPipe:
		err = syscall.EPIPE
	case ended == nil:
	case errors.Is(err, channel.ErrClosed):
		err = ErrClosed
	case errors.Is(err, ended):
		// Not wrapped: it may be io.EOF, which would look like the connection's proper end.
		err = fmt.Errorf("%w: %v", ErrLost, err)
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.local, Addr: c.remote, Err: err}
}
