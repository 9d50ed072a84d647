package channel

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Heartbeats find a connection that is half open, as a cut ssh or tcp connection is.
const (
	// beatEvery is the pause between two pings.
	beatEvery = 15 * time.Second
	// beatLimit is how long a guest may send nothing at all.
	beatLimit = 75 * time.Second
)

// ErrClosed says that the host itself closed the channel.
var ErrClosed = errors.New("channel closed")

// ErrSilent says that the guest stopped answering pings.
var ErrSilent = fmt.Errorf("no answer for %v", beatLimit)

// Channel is an open connection to a guest. It is safe for concurrent use.
type Channel struct {
	mux   *wire.Mux
	hello wire.GuestHello
	nonce string

	lastID atomic.Uint32 // of a call; its other streams have the next numbers

	mu    sync.Mutex
	calls map[uint32]*Call
	quiet int       // how many of them count as idle: see Call.Quiet
	held  error     // the error of new calls: see Hold
	last  time.Time // when a call last ended
	err   error

	ready chan struct{}  // closed when the guest's hello is there
	done  chan struct{}  // closed when the channel has failed or was closed
	alive atomic.Bool    // a frame came since the last beat
	wg    sync.WaitGroup // the heartbeat and the read loop
}

// Open starts the channel over the guest's stdin and stdout and sends the host's hello. Calls
// may follow at once; Ready waits for the guest's hello. The caller ends the channel with Close,
// and its read loop by closing r.
func Open(w io.Writer, r io.Reader, hello wire.HostHello) *Channel {
	c := &Channel{
		mux:   wire.NewMux(w),
		calls: make(map[uint32]*Call),
		nonce: rand.Text(),
		last:  time.Now(),
		ready: make(chan struct{}),
		done:  make(chan struct{}),
	}
	hello.Major, hello.Minor, hello.Nonce = wire.Major, wire.Minor, c.nonce
	payload, err := json.Marshal(hello)
	if err == nil {
		err = checkSize(payload)
	}
	c.wg.Go(func() { c.Fail(c.read(wire.NewReader(r))) })
	c.wg.Go(c.beat)
	if err != nil {
		c.Fail(err)
		return c
	}
	// After a write error the CLI's stdout ends as well, and the read loop has a better reason.
	_ = c.mux.Send(wire.KindHello, 0, payload)
	return c
}

// Ready waits for the guest's hello and returns it.
func (c *Channel) Ready(ctx context.Context) (wire.GuestHello, error) {
	select {
	case <-c.ready:
		return c.hello, nil
	case <-c.done:
		return wire.GuestHello{}, c.Err()
	case <-ctx.Done():
		return wire.GuestHello{}, context.Cause(ctx)
	}
}

// Done is closed when the channel can no longer be used; Err then says why.
func (c *Channel) Done() <-chan struct{} { return c.done }

// Err returns why the channel ended, or nil while it is open. io.EOF is a guest that ended
// without a word.
func (c *Channel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Idle returns for how long no call has been under way: 0 while one is.
func (c *Channel) Idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) > c.quiet {
		return 0
	}
	return time.Since(c.last)
}

// Hold is for a guest that is frozen. Until Hold is called with nil, new calls fail with err,
// calls under way wait, and the guest need not answer pings.
func (c *Channel) Hold(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = err
	c.last = time.Now()
}

// Held reports whether the channel is held.
func (c *Channel) Held() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held != nil
}

// Close ends the channel: calls under way fail with ErrClosed.
func (c *Channel) Close() { c.Fail(ErrClosed) }

// Wait returns when the goroutines of the channel have ended, which needs the end of r.
func (c *Channel) Wait() { c.wg.Wait() }

// Bye tells the guest to end, whatever its lease.
func (c *Channel) Bye() {
	// On a channel that has failed there is nobody to tell.
	_ = c.mux.Send(wire.KindBye, 0, nil)
}

// Fail ends the channel with an error of the caller's.
func (c *Channel) Fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()
	c.mux.Fail(err)
	for _, call := range calls {
		call.finish(nil, err)
	}
	close(c.done)
}

// read is the read loop. It must not block on anything but r.
func (c *Channel) read(r *wire.Reader) error {
	if err := c.readHello(r); err != nil {
		return err
	}
	for {
		h, err := r.Next()
		if err != nil {
			return err
		}
		c.alive.Store(true)
		switch h.Kind {
		case wire.KindData, wire.KindEnd, wire.KindCredit, wire.KindReset:
			err = c.mux.Deliver(h, r)
		case wire.KindReply:
			err = c.readReply(h, r)
		case wire.KindPong:
			err = r.Discard(h.Len)
		case wire.KindBye:
			err = c.readBye(h, r)
		default:
			err = &wire.ProtocolError{Reason: fmt.Sprintf("a guest sent a frame of kind %d", h.Kind)}
		}
		if err != nil {
			return err
		}
	}
}

func (c *Channel) readHello(r *wire.Reader) error {
	h, err := r.Next()
	var violation *wire.ProtocolError
	if errors.As(err, &violation) {
		// An engine may print on stdout why there is no guest.
		return &wire.ProtocolError{Reason: fmt.Sprintf("not a guest: %q", r.Unread(200))}
	}
	if err != nil {
		return err
	}
	payload, err := r.Payload(h)
	if err != nil {
		return err
	}
	if h.Kind != wire.KindHello {
		return &wire.ProtocolError{Reason: "the first frame is no hello"}
	}
	var hello wire.GuestHello
	if err := json.Unmarshal(payload, &hello); err != nil {
		return &wire.ProtocolError{Reason: "hello: " + err.Error()}
	}
	if hello.Major != wire.Major {
		return fmt.Errorf("the guest speaks version %d.%d of the protocol, this host %d.%d: build the image again",
			hello.Major, hello.Minor, wire.Major, wire.Minor)
	}
	if hello.Nonce != c.nonce {
		return &wire.ProtocolError{Reason: "hello with another nonce"}
	}
	c.hello = hello
	c.alive.Store(true)
	close(c.ready)
	return nil
}

func (c *Channel) readReply(h wire.Header, r *wire.Reader) error {
	payload, err := r.Payload(h)
	if err != nil {
		return err
	}
	c.mu.Lock()
	call := c.calls[h.Stream]
	delete(c.calls, h.Stream)
	if call != nil && call.quiet {
		call.quiet = false
		c.quiet--
	} else {
		c.last = time.Now()
	}
	c.mu.Unlock()
	if call == nil {
		return &wire.ProtocolError{Reason: fmt.Sprintf("reply to call %d, which is not open", h.Stream)}
	}
	call.closeStreams()
	if len(payload) > 0 && payload[0] == wire.StatusOK {
		call.finish(payload[1:], nil)
		return nil
	}
	e := &wire.Error{}
	if len(payload) == 0 {
		err = &wire.ProtocolError{Reason: "empty reply"}
	} else if err = json.Unmarshal(payload[1:], e); err != nil {
		err = &wire.ProtocolError{Reason: "error reply: " + err.Error()}
	}
	if err != nil {
		// Fail no longer finds this call.
		call.finish(nil, err)
		return err
	}
	call.finish(nil, e)
	return nil
}

// EndError is the reason that a guest gave for its end.
type EndError struct{ Reason string }

func (e *EndError) Error() string { return e.Reason }

func (c *Channel) readBye(h wire.Header, r *wire.Reader) error {
	reason, err := r.Payload(h)
	if err != nil {
		return err
	}
	return &EndError{string(reason)}
}

// beat pings the guest. It ends the channel if nothing comes back for beatLimit.
func (c *Channel) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	// A guest that has stopped reading can block the ping itself, so each is sent by a goroutine
	// of its own; while one is stuck, no other is sent.
	stuck := make(chan struct{}, 1)
	for silent := time.Duration(0); ; {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		if c.alive.Swap(false) || c.Held() {
			silent = 0
		} else if silent += beatEvery; silent >= beatLimit {
			c.Fail(ErrSilent)
			return
		}
		select {
		case stuck <- struct{}{}:
			c.wg.Go(func() {
				_ = c.mux.Send(wire.KindPing, 0, nil)
				<-stuck
			})
		default:
		}
	}
}

func checkSize(payload []byte) error {
	if len(payload) >= wire.MaxControl {
		return wire.Errorf(wire.CodeTooLong, "arguments and environment of %d bytes; at most %d fit one call", len(payload), wire.MaxControl)
	}
	return nil
}
