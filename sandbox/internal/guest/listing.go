//go:build linux

package guest

import (
	"encoding/json"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// listing sends many things on the call's stream, one line of JSON for each. A short listing
// is not sent but returned by last, to travel with the reply.
type listing struct {
	c        *call
	buf      []byte
	streamed bool
}

func (l *listing) add(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.buf = append(append(l.buf, line...), '\n')
	if len(l.buf) > wire.MaxData/2 {
		return l.flush()
	}
	return nil
}

// raw adds records that are encoded already.
func (l *listing) raw(records []byte) error {
	if l.buf = append(l.buf, records...); len(l.buf) > wire.MaxData/2 {
		return l.flush()
	}
	return nil
}

func (l *listing) flush() error {
	_, err := l.c.stream.Write(l.buf)
	l.buf, l.streamed = l.buf[:0], true
	return err
}

// last returns the bytes to send with the reply, or nil if all were sent.
func (l *listing) last() ([]byte, error) {
	if l.streamed {
		return nil, l.flush()
	}
	return append([]byte{}, l.buf...), nil
}
