//go:build linux

package guest

import (
	"errors"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// wireError returns an error in the words of the protocol.
func wireError(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return &wire.Error{Code: wire.CodeOf(err), Text: err.Error()}
}

// describe is wireError with the subject of the error in front.
func describe(subject string, err error) *wire.Error {
	return wire.Errorf(wire.CodeOf(err), "%s: %s", subject, wireError(err).Text)
}
