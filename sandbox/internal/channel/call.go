package channel

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Call is one operation under way in the guest.
type Call struct {
	c *Channel
	// Stream carries the call's bytes in both directions.
	Stream *wire.Stream
	// Stderr and Control are the second and third stream of a command; nil for other calls.
	Stderr, Control *wire.Stream

	quiet bool // guarded by c.mu

	done  chan struct{}
	reply []byte
	err   error
}

// Request is an operation and its arguments.
type Request struct {
	Op   wire.Op
	Args any
	// Body is sent with the request, as all that the call's stream carries to the guest. It is
	// at most wire.MaxData long. nil leaves the stream open for the caller to write to.
	Body []byte
	// Stdout and Stderr take the bytes that come. The read loop of the whole channel calls
	// them, so they must not block. nil leaves the bytes to the stream's reader.
	Stdout, Stderr func([]byte)
}

// Start sends a request.
func (c *Channel) Start(r *Request) (*Call, error) {
	payload, err := json.Marshal(r.Args)
	if err == nil {
		err = checkSize(payload)
	}
	if err != nil {
		return nil, err
	}
	id := c.lastID.Add(wire.CallStreams)
	call := &Call{c: c, done: make(chan struct{}), Stream: c.mux.Open(id, r.Stdout)}
	if r.Op == wire.OpExec {
		call.Stderr = c.mux.Open(id+1, r.Stderr)
		call.Control = c.mux.Open(id+2, nil)
	}
	c.mu.Lock()
	if err := cmp.Or(c.err, c.held); err != nil {
		defer c.mu.Unlock()
		call.closeStreams()
		return nil, err
	}
	c.calls[id] = call
	c.mu.Unlock()

	payload = append([]byte{byte(r.Op)}, payload...)
	if r.Body == nil {
		err = c.mux.Send(wire.KindCall, id, payload)
	} else {
		frames := wire.AppendFrame(nil, wire.KindCall, id, payload)
		err = c.mux.Frames(call.Stream.AppendLast(frames, r.Body))
	}
	if err != nil {
		// The request may have gone out before the pipe broke, and its reply be on the way, so
		// the call is kept until the channel ends.
		return nil, err
	}
	return call, nil
}

func (call *Call) closeStreams() {
	call.c.mux.Close(call.Stream.ID())
	if call.Stderr != nil {
		call.c.mux.Close(call.Stderr.ID())
		call.c.mux.Close(call.Control.ID())
	}
}

// Quiet says whether the call only waits for now. Idle does not count it then.
func (call *Call) Quiet(quiet bool) {
	c := call.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.quiet == quiet || c.calls[call.Stream.ID()] != call {
		return
	}
	call.quiet = quiet
	c.last = time.Now()
	if quiet {
		c.quiet++
	} else {
		c.quiet--
	}
}

func (call *Call) finish(reply []byte, err error) {
	call.reply, call.err = reply, err
	close(call.done)
}

// Done is closed when the reply is there or the channel has ended.
func (call *Call) Done() <-chan struct{} { return call.done }

// Result waits for the reply and decodes it into v, which may be nil. It returns a *wire.Error
// if the operation failed in the guest, the channel's error if the guest is gone, and the cause
// of ctx if that ended first: a guest may end every stream of a call and never reply.
func (call *Call) Result(ctx context.Context, v any) error {
	if err := call.Await(ctx); err != nil {
		return err
	}
	if call.err != nil || v == nil {
		return call.err
	}
	if err := json.Unmarshal(call.reply, v); err != nil {
		err = &wire.ProtocolError{Reason: "reply: " + err.Error()}
		call.c.Fail(err)
		return err
	}
	return nil
}

// Cancel asks the guest to end the call, a command by the ladder or, with now, at once. The reply
// still comes.
func (call *Call) Cancel(now bool) {
	payload, _ := json.Marshal(wire.Cancel{Now: now})
	// If the channel has failed, the call has ended already.
	_ = call.c.mux.Send(wire.KindCancel, call.Stream.ID(), payload)
}

// Signal asks the guest to send a signal to the call's job, or to change its terminal.
func (call *Call) Signal(signal wire.Signal) error {
	payload, _ := json.Marshal(signal)
	return call.c.mux.Send(wire.KindSignal, call.Stream.ID(), payload)
}

// Do makes a call without streams and waits for its reply. If ctx ends first, it returns the
// cause; the guest may then have done the operation or not.
func (c *Channel) Do(ctx context.Context, op wire.Op, args, v any) error {
	call, err := c.Start(&Request{Op: op, Args: args})
	if err != nil {
		return err
	}
	return call.Result(ctx, v)
}

// Await waits until the call is done, or cancels it and returns the cause of ctx.
func (call *Call) Await(ctx context.Context) error {
	select {
	case <-call.done:
		return nil
	case <-ctx.Done():
		call.Cancel(true)
		return context.Cause(ctx)
	}
}
