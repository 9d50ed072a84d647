//go:build unix

package session_test

import (
	"os"
	"syscall"
	"testing"
)

// ownerOf returns the uid of a file on the host.
func ownerOf(t testing.TB, name string) uint32 {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}
