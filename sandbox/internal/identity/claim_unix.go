//go:build unix

package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// The range that sandboxes of a caller who is root take their uids from. Each has one of
// its own, so that no two share what the kernel counts by uid: inotify watches, pipe
// buffers, keys, processes.
const (
	firstUID = 200000
	lastUID  = 265535
)

// OwnerOf returns who owns a file, or nil if the file system does not say.
func OwnerOf(info fs.FileInfo) *Owner {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return &Owner{UID: int(st.Uid), GID: int(st.Gid)}
}

// LockDir locks a directory against others who lock it.
func LockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}
	return func() { f.Close() }, nil
}

// Claim is a uid that no other sandbox of this host has, for as long as its lock file is
// locked. The kernel drops the lock with the process, however that ends.
type Claim struct {
	uid  int
	file *os.File
}

func claimAny() (*Claim, error) {
	const count = lastUID - firstUID + 1
	for i, first := 0, rand.IntN(count); i < count; i++ {
		c, err := claim(firstUID + (first+i)%count)
		if c != nil || err != nil {
			return c, err
		}
	}
	return nil, fmt.Errorf("all %d uids from %d to %d are taken by sandboxes", count, firstUID, lastUID)
}

// ClaimKnown claims the uid that a sandbox has already. It returns nil if the uid is not of
// the range, or if another process holds the claim, which serves as well.
func ClaimKnown(uid int) *Claim {
	if uid < firstUID || uid > lastUID {
		return nil
	}
	c, _ := claim(uid)
	return c
}

// claim returns nil if another process has the uid.
func claim(uid int) (*Claim, error) {
	base := "/run"
	if _, err := os.Stat(base); err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "drydock", "uids")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(uid)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if !locked(f) {
		return nil, f.Close()
	}
	return &Claim{uid: uid, file: f}, nil
}

// locked takes the lock, unless another has it or has just removed the file.
func locked(f *os.File) bool {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false
	}
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.Name())
	return err == nil && os.SameFile(held, named)
}

// Release gives the uid up. A nil claim has nothing to release.
func (c *Claim) Release() {
	if c == nil {
		return
	}
	// Removed before it is unlocked: whoever opened it meanwhile sees that it is gone.
	if err := os.Remove(c.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // still locked, so the uid is not used again while this process lives
	}
	c.file.Close()
}
