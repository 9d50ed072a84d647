//go:build linux

package guest

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// The sockets are made without package net, as the listener is: it would make the guest a
// third larger.

const (
	// The pauses between two attempts to connect to a server that does not listen yet.
	firstPause, lastPause = 5 * time.Millisecond, 100 * time.Millisecond
	// attemptLimit is how long one of several attempts may take.
	attemptLimit = time.Second
	// lingerTime is how long a server may take to read what the host wrote before it closed
	// the connection.
	lingerTime = 30 * time.Second
)

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// dial connects to a server inside and moves bytes between it and the call's stream, until both
// directions have ended.
func (c *call) dial(m *wire.Dial) (any, error) {
	addrs, err := c.addresses(m)
	if err != nil {
		return nil, err
	}
	if m.Wait {
		return nil, c.waitFor(addrs)
	}
	c.stream.Spare()
	f, which, err := c.connect(addrs, 0)
	if err != nil {
		return nil, err
	}
	// However it ends, the two goroutines that use the socket have ended before.
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	dialed := wire.Dialed{Which: byte(which)}
	if err := raw.Control(func(fd uintptr) {
		// A unix socket has neither.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		dialed.Port = localPort(int(fd))
	}); err != nil {
		return nil, err
	}
	if _, err := c.stream.Write(dialed.Encode()); err != nil {
		return nil, err
	}
	return nil, (&relay{c: c, f: f, raw: raw}).run()
}

// address is one to connect to.
type address struct {
	family int
	to     syscall.Sockaddr
	name   string // of a unix socket
}

func (c *call) addresses(m *wire.Dial) ([]address, error) {
	if len(m.Path) > 0 {
		const maxPath = 107 // unix(7)
		name := string(m.Path)
		if name[0] != '@' {
			name = c.s.abs(name)
		}
		switch {
		case name == socketName:
			// The guest would take itself for a host.
			return nil, wire.Errorf(wire.CodePermission, "%s is the guest's own socket", name)
		case len(name) > maxPath:
			return nil, wire.Errorf(wire.CodeNameTooLong, "the path of a unix socket has at most %d bytes, not %d", maxPath, len(name))
		}
		return []address{{syscall.AF_UNIX, &syscall.SockaddrUnix{Name: name}, name}}, nil
	}
	var all []address
	for _, ip := range m.Addrs {
		switch len(ip) {
		case 4:
			all = append(all, address{family: syscall.AF_INET, to: &syscall.SockaddrInet4{Port: int(m.Port), Addr: [4]byte(ip)}})
		case 16:
			all = append(all, address{family: syscall.AF_INET6, to: &syscall.SockaddrInet6{Port: int(m.Port), Addr: [16]byte(ip)}})
		}
	}
	if len(all) == 0 || len(all) != len(m.Addrs) || len(all) > 1<<8 {
		return nil, wire.Invalid("no address to connect to")
	}
	return all, nil
}

// waitFor returns when one of the addresses takes a connection.
func (c *call) waitFor(addrs []address) error {
	later := []error{syscall.ECONNREFUSED, os.ErrDeadlineExceeded}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		f, _, err := c.connect(addrs, attemptLimit)
		if err == nil {
			return f.Close()
		}
		if !slices.ContainsFunc(later, func(e error) bool { return errors.Is(err, e) }) {
			return err
		}
		if err := c.pause(pause); err != nil {
			return err
		}
	}
}

// pause waits, unless the host gives the call up.
func (c *call) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-c.quit:
		return errAborted
	}
}

// connect connects to the first of the addresses that takes the connection; which is its index.
// If none does, the error is that of the first address. limit is for each attempt; 0 is none.
func (c *call) connect(addrs []address, limit time.Duration) (_ *os.File, which int, err error) {
	for i, a := range addrs {
		f, e := c.connectTo(a, limit)
		if e == nil {
			return f, i, nil
		}
		if err == nil {
			err = e
		}
		if c.aborted() {
			return nil, 0, errAborted
		}
	}
	return nil, 0, err
}

func (c *call) connectTo(a address, limit time.Duration) (*os.File, error) {
	fd, err := syscall.Socket(a.family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		c.s.jobs.mu.Lock()
		c.s.jobs.tampered()
		c.s.jobs.mu.Unlock()
		return nil, os.NewSyscallError("socket", err)
	}
	err = syscall.Connect(fd, a.to)
	for pause := firstPause; err == syscall.EAGAIN; pause = min(2*pause, lastPause) {
		// The queue of a unix socket is full, and nothing tells when there is room.
		if err = c.pause(pause); err == nil {
			err = syscall.Connect(fd, a.to)
		}
	}
	// From here on the poller watches it, which it must not before the first connect.
	f := os.NewFile(uintptr(fd), "socket")
	if err == syscall.EINPROGRESS {
		err = c.connected(f, a.to, limit)
	}
	if err != nil {
		f.Close()
		if a.name != "" {
			return nil, &os.PathError{Op: "connect", Path: a.name, Err: err}
		}
		return nil, os.NewSyscallError("connect", err)
	}
	return f, nil
}

// connected waits until a connection that was begun is there. A further connect tells how it
// goes; on the loopback interface the connection mostly is there by then.
func (c *call) connected(f *os.File, to syscall.Sockaddr, limit time.Duration) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if limit > 0 {
		_ = f.SetWriteDeadline(time.Now().Add(limit))
	}
	done := make(chan struct{})
	defer close(done)
	var errno error
	watched := false
	err = raw.Write(func(fd uintptr) bool {
		errno = syscall.Connect(int(fd), to)
		if errno != syscall.EALREADY && errno != syscall.EINPROGRESS {
			return true
		}
		if !watched {
			watched = true
			go func() {
				select {
				case <-c.quit:
					_ = f.SetWriteDeadline(past)
				case <-done:
				}
			}()
		}
		return false
	})
	if err == nil && errno != syscall.EISCONN {
		err = errno
	}
	if err == nil {
		err = f.SetWriteDeadline(time.Time{})
	}
	return err
}

func localPort(fd int) uint16 {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return 0
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return uint16(sa.Port)
	case *syscall.SockaddrInet6:
		return uint16(sa.Port)
	}
	return 0
}

// relay moves the bytes of a connection both ways.
type relay struct {
	c    *call
	f    *os.File
	raw  syscall.RawConn
	shut atomic.Bool // the host has ended its direction, and the server has all of it
}

// run returns when both directions have ended or the connection is broken. Its error is what
// the host cannot see from the stream.
func (r *relay) run() error {
	down, up := make(chan error, 1), make(chan upEnd, 1)
	go func() { down <- r.down() }()
	go func() { up <- r.up() }()
	var err error
	quit := r.c.quit
	for open := 2; open > 0; {
		select {
		case e := <-down:
			open--
			if e != nil {
				// It is broken, so nothing that the host still writes can arrive.
				err = e
				r.c.stream.Abort(errAborted)
				_ = r.f.SetWriteDeadline(past)
			}
		case e := <-up:
			open--
			switch e {
			case upRefused:
				// What the server wrote before may still be on its way.
				r.c.stream.CloseRead()
			case upGone:
				// The server must not take part of a message for all of it.
				r.reset()
				_ = r.f.SetReadDeadline(past)
			}
		case <-quit:
			quit = nil
			_ = r.f.SetReadDeadline(past)
			limit := past
			if r.c.stream.Ended() {
				limit = time.Now().Add(lingerTime)
			}
			_ = r.f.SetWriteDeadline(limit)
		}
	}
	return err
}

// reset makes the end of the connection an error for the server.
func (r *relay) reset() {
	// It does nothing to a unix socket.
	_ = r.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}

// down moves bytes from the server to the host. It returns the error of a broken connection,
// and nil if the server has ended its direction or the host wants no more.
func (r *relay) down() error {
	for {
		var buf *wire.Buffer
		var n int
		var errno error
		// A connection has no buffer while it waits: there may be many connections.
		if err := r.raw.Read(func(fd uintptr) bool {
			buf = wire.NewBuffer()
			n, errno = syscall.Read(int(fd), buf.Data())
			if errno == syscall.EAGAIN {
				buf.Free()
				return false
			}
			if n == 0 && errno == nil && r.broken(int(fd)) {
				errno = syscall.ECONNRESET
			}
			return true
		}); err != nil {
			return nil // the deadline
		}
		var err error
		if n > 0 {
			err = r.c.stream.WriteBuffer(buf, n)
		}
		buf.Free()
		switch {
		case errno == syscall.EINTR:
		case errno != nil:
			return os.NewSyscallError("read", errno)
		case err != nil:
			return nil
		case n == 0:
			// If it fails, the host has given up.
			_ = r.c.stream.CloseWrite()
			return nil
		}
	}
}

// broken reports whether a read ended because the server gave the connection up. The kernel
// tells of that once, and may have told the writer.
func (r *relay) broken(fd int) bool {
	const closed = 7 // TCP_CLOSE; the state is the first byte of struct tcp_info
	info, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	// In this order: after shut is set, the state can be closed without an error.
	return err == nil && info&0xff == closed && !r.shut.Load()
}

// upEnd is how the direction to the server ended.
type upEnd int

const (
	upDone    upEnd = iota // the host has ended its direction
	upRefused              // the server takes no more
	upGone                 // the host gave up, or the server did not read in time
)

// up moves bytes from the host to the server.
func (r *relay) up() upEnd {
	to := &socketWriter{f: r.f}
	_, err := r.c.stream.WriteTo(to)
	switch {
	case errors.Is(to.err, os.ErrDeadlineExceeded):
		return upGone
	case to.err != nil:
		return upRefused
	case err != nil || !r.c.stream.Ended():
		return upGone
	}
	r.shut.Store(true)
	// A broken connection has nothing to shut.
	_ = r.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
	return upDone
}

// socketWriter keeps its error, to tell it from one of the stream.
type socketWriter struct {
	f   *os.File
	err error
}

func (w *socketWriter) Write(p []byte) (n int, err error) {
	n, w.err = w.f.Write(p)
	return n, w.err
}
