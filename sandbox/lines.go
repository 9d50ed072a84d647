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

// maxLine bounds a line of a listing in bytes: a path of 4 KiB, spelled in base64, and a
// symlink's target fit well.
const maxLine = 64 << 10

// lineCall is a call that brings one JSON value a line, read as it comes: who does not read
// holds the guest up.
type lineCall[T any] struct {
	sb   *Sandbox
	call *channel.Call
	r    *bufio.Reader
	// ctx is the caller's, or ends with abort: the guest may end the stream and never reply.
	ctx   context.Context
	abort context.CancelCauseFunc
	stop  func() bool
}

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

// close ends the call, if it goes on.
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

// eachLine decodes one JSON value a line.
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
