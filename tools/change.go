package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/drydock-go/drydock/sandbox"
)

const (
	// maxContent bounds the bytes of a file that a tool writes. sandbox.Edit reads no more.
	maxContent = sandbox.MaxRead
	// maxEdit bounds the bytes of each of the two texts of an edit, which are sent to the
	// sandbox in one message.
	maxEdit = 1_000_000
)

// unread is the error for a file that the agent has not read and wants to change.
func unread(name, next string) error {
	return stop("%s has not been read yet: read it with read_file first, then %s", name, next)
}

// stale is the error for one that has changed since.
func stale(name, next string) error {
	return stop("%s has changed since you read it: read it again with read_file, then %s", name, next)
}

// target resolves the path that a call changes, checks that it may be changed, and locks it.
// With an error unlock is nil.
func (c *call) target(ctx context.Context, name string) (real string, unlock func(), err error) {
	if strings.HasSuffix(name, "/") {
		return "", nil, stop("%s names a directory: give the path of a file, without a slash at its end", show(name))
	}
	if real, err = c.resolve(ctx, name); err != nil {
		return "", nil, err
	}
	if err := c.permit(ctx, real); err != nil {
		return "", nil, err
	}
	unlock, err = c.lock(ctx, real)
	return real, unlock, err
}

// remember notes that the agent knows the contents of a file, by their SHA-256.
func (s *Set) remember(real, hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[real] = hash
}

// known returns the SHA-256 of a file as the agent last saw it, or "".
func (s *Set) known(real string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[real]
}

// hash returns the SHA-256 of a file's contents.
func (c *call) hash(ctx context.Context, real string) (string, error) {
	lines, err := c.sb.ReadLines(ctx, real, &sandbox.LineOptions{Count: 1, MaxBytes: 1})
	if err != nil {
		return "", err
	}
	return lines.Hash, nil
}

func fileHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// inPlace is the note of a result about a file that was not replaced by a rename.
func inPlace(yes bool) string {
	if !yes {
		return ""
	}
	return " (written in place: others could have seen it half written)"
}
