// Package guestbin holds the guest program for each architecture, as scripts/guest builds it from
// package guest.
package guestbin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

//go:embed guest-linux-*.gz
var files embed.FS

// Archs are the architectures that there is a guest for, in the words of GOARCH.
var Archs = []string{"amd64", "arm64"}

// compressed returns the embedded file of an architecture.
func compressed(arch string) ([]byte, error) {
	b, err := files.ReadFile("guest-linux-" + arch + ".gz")
	if err != nil {
		return nil, fmt.Errorf("no guest for linux/%s: there is one for each of %v", arch, Archs)
	}
	return b, nil
}

// For returns the guest for an architecture.
func For(arch string) ([]byte, error) {
	b, err := compressed(arch)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

var hashes sync.Map // arch -> string

// Hash returns a hash that identifies the guest for an architecture. It does not unpack it.
func Hash(arch string) (string, error) {
	if h, ok := hashes.Load(arch); ok {
		return h.(string), nil
	}
	b, err := compressed(arch)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	h := hex.EncodeToString(sum[:])
	hashes.Store(arch, h)
	return h, nil
}
