package sandbox

import (
	"io/fs"
	"math/rand/v2"
)

// Files of a Windows host have no uid; the engine's virtual machine maps them.
func ownerOf(fs.FileInfo) *fileOwner { return nil }

// uidClaim is a uid of the range that no other sandbox is likely to have.
type uidClaim struct{ uid int }

func claimUID() (*uidClaim, error) { return &uidClaim{uid: 200000 + rand.IntN(65536)}, nil }

func (c *uidClaim) release() {}

func claimKnown(int) *uidClaim { return nil }

func lockDir(string) (unlock func(), err error) { return func() {}, nil }
