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
	a.killAll() // what earlier ones left behind
	for _, dir := range m.Dirs {
		if err := empty(string(dir)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// empty removes all that is in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := dir + "/" + e.Name()
		err := os.RemoveAll(name)
		if errors.Is(err, fs.ErrPermission) {
			// A directory of its own that its owner may not write to.
			unlock(name)
			err = os.RemoveAll(name)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// unlock lets the owner of a tree's directories change them.
func unlock(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	// Where it is another's the removal says so.
	_ = os.Chmod(dir, 0o700)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			unlock(dir + "/" + e.Name())
		}
	}
}
