package session

import (
	"errors"
	"fmt"
)

// The errors that errors.Is finds in an *Error, besides those of package sandbox and the
// cause of a context.
var (
	// ErrInvalidID: no session can have this id. The text says how to write one.
	ErrInvalidID = errors.New("invalid session id")
	// ErrFull: there are Options.Max sessions, and none ended within GetOptions.Wait.
	ErrFull = errors.New("no room for another session")
	// ErrMismatch: the session is open on another runtime, image or snapshot than the one
	// that was asked for.
	ErrMismatch = errors.New("the session runs something else")
	// ErrReleased: the session was released while Get waited for it to open.
	ErrReleased = errors.New("session was released while it opened")
	// ErrClosed: the manager was shut down.
	ErrClosed = errors.New("session manager is closed")
)

// Error is the type of the errors of this package.
type Error struct {
	Op  string // "new", "get", "release" or "shutdown"
	ID  string // of the session, as it was given; empty if the error is about none
	Err error
}

func (e *Error) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("session: %s: %v", e.Op, e.Err)
	}
	// A refused id can be any text.
	return fmt.Sprintf("session %.80q: %s: %v", e.ID, e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
