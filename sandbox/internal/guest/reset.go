//go:build linux

package guest

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// reset ends every process of the guest's jobs and empties directories.
func (c *call) reset(m *wire.Reset) (any, error) {
	a := c.s.jobs
	a.mu.Lock()
	running := slices.Collect(maps.Values(a.running))
	a.mu.Unlock()
	for _, j := range running {
		j.finish(ending{why: canceled, now: true})
	}
	for _, j := range running {
		select {
		case <-j.exited:
		case <-c.quit:
			return nil, errAborted
		}
	}
	a.killAll() // processes that earlier jobs left behind
	for _, dir := range m.Dirs {
		mounts, err := mountsBelow(string(dir))
		if err == nil {
			err = empty(string(dir), "", mounts)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// empty removes the entries of a directory in a tree, except mounts. dir is empty or ends in a
// slash.
func empty(top, dir string, mounts map[string]bool) error {
	entries, err := os.ReadDir(top + "/" + dir)
	for _, e := range entries {
		below := dir + e.Name()
		if mounts[below] {
			continue
		}
		if holdsMount(mounts, below) {
			if err := empty(top, below+"/", mounts); err != nil {
				return err
			}
			continue
		}
		name := top + "/" + below
		err := os.RemoveAll(name)
		if errors.Is(err, fs.ErrPermission) {
			// A directory of the user's own that is closed to its owner.
			if root, e := os.OpenRoot(top); e == nil {
				unlock(root, below)
				root.Close()
			}
			err = os.RemoveAll(name)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// unlock lets the owner change the directories of a tree in root. Their paths may be longer
// than the kernel takes.
func unlock(root *os.Root, dir string) {
	info, err := root.Lstat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	// If it is another user's, the removal says so.
	_ = root.Chmod(dir, 0o700)
	f, err := root.Open(dir)
	if err != nil {
		return
	}
	entries, _ := f.ReadDir(-1)
	f.Close()
	for _, e := range entries {
		if e.IsDir() {
			unlock(root, dir+"/"+e.Name())
		}
	}
}
