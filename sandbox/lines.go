package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// maxLine is how many bytes a line of a listing may have. A path of 4 KiB and a symlink's
// target, both in base64, need far less.
const maxLine = 64 << 10

// lineCall is a call that brings one JSON value a line. The lines are read as they come: a slow
// caller slows the guest.
type lineCall[T any] struct {
	sb   *Sandbox
	call *channel.Call
	r    *bufio.Reader
	// ctx ends with the caller's context or by abort. Result needs it, because a guest may end
	// the stream and never reply.
	ctx   context.Context
	abort context.CancelCauseFunc
	stop  func() bool
}

// startLines starts a call that brings lines.
func startLines[T any](ctx context.Context, sb *Sandbox, op wire.Op, args any) (*lineCall[T], error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	call, err := sb.ch.Start(&channel.Request{Op: op, Args: args})
	if err != nil {
		return nil, err
	}
	l := &lineCall[T]{sb: sb, call: call, r: bufio.NewReaderSize(call.Stream, maxLine)}
	l.ctx, l.abort = context.WithCancelCause(ctx)
	l.stop = context.AfterFunc(l.ctx, func() { call.Stream.Abort(context.Cause(l.ctx)) })
	return l, nil
}

// next returns the next value, or io.EOF after the last.
func (l *lineCall[T]) next() (*T, error) {
	line, err := l.r.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) == 0:
		if err := l.call.Result(l.ctx, nil); err != nil {
			return nil, err
		}
		return nil, io.EOF
	case err == io.EOF || errors.Is(err, bufio.ErrBufferFull):
		return nil, &wire.ProtocolError{Reason: "a line of a listing without an end"}
	case err != nil:
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(line, v); err != nil {
		return nil, &wire.ProtocolError{Reason: "listing: " + err.Error()}
	}
	return v, nil
}

// close ends the call if it is still under way.
func (l *lineCall[T]) close() {
	l.stop()
	l.abort(nil)
	select {
	case <-l.call.Done():
	default:
		l.call.Cancel(true)
		l.call.Stream.CloseRead()
	}
}

// eachLine decodes data, one JSON value a line, and calls take with each value.
func eachLine[T any](data []byte, take func(*T) error) error {
	for line := range bytes.Lines(data) {
		v := new(T)
		if err := json.Unmarshal(line, v); err != nil {
			return &wire.ProtocolError{Reason: "listing: " + err.Error()}
		}
		if err := take(v); err != nil {
			return err
		}
	}
	return nil
}
