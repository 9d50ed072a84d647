//go:build linux

package guest

import (
	"errors"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// maxErrorText bounds the text of an error in bytes. It often holds a path of the call, and JSON
// takes up to six bytes for one of it: a reply could be longer than a frame may be, which would
// end the connection.
const maxErrorText = 64 << 10

// wireError returns an error in the words of the protocol.
func wireError(err error) *wire.Error {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		e = &wire.Error{Code: wire.CodeOf(err), Text: err.Error()}
	}
	if len(e.Text) > maxErrorText {
		const rest = "..."
		short := *e
		short.Text = e.Text[:maxErrorText-len(rest)] + rest
		e = &short
	}
	return e
}

// describe is wireError with the subject of the error in front.
func describe(subject string, err error) *wire.Error {
	return wire.Errorf(wire.CodeOf(err), "%s: %s", subject, wireError(err).Text)
}
