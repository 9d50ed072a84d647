//go:build linux

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// abs returns an absolute path. It does not clean it: a may be a symlink, so only the kernel
// knows where a/.. leads.
func (g *guest) abs(path string) string {
	switch {
	case path == "":
		return g.dir
	case strings.HasPrefix(path, "/"):
		return path
	}
	return g.dir + "/" + path
}

// evalSymlinks is filepath.EvalSymlinks, with an errno for too many symlinks.
func evalSymlinks(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	var e *fs.PathError
	if err != nil && !errors.As(err, &e) {
		err = &fs.PathError{Op: "resolve", Path: path, Err: syscall.ELOOP}
	}
	return real, err
}

func (c *call) realPath(m *wire.Path) (any, error) {
	path, err := resolve(c.s.abs(string(m.Path)), 0)
	if err != nil {
		return nil, err
	}
	return &wire.Path{Path: []byte(path)}, nil
}

// resolve is filepath.EvalSymlinks for paths whose end need not exist: it says where a file
// would be made.
func resolve(path string, links int) (string, error) {
	const maxLinks = 40 // as the kernel: path_resolution(7)
	if links > maxLinks {
		return "", &fs.PathError{Op: "resolve", Path: path, Err: syscall.ELOOP}
	}
	real, err := evalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) || path == "/" {
		return real, err
	}
	// Not cleaned: only the kernel knows where a/.. leads.
	path = strings.TrimRight(path, "/")
	cut := strings.LastIndexByte(path, '/')
	dir, err := resolve(path[:max(cut, 1)], links)
	if err != nil {
		return "", err
	}
	target, err := os.Readlink(path)
	switch {
	case err != nil:
		return filepath.Join(dir, path[cut+1:]), nil
	case filepath.IsAbs(target):
		return resolve(target, links+1)
	}
	return resolve(filepath.Join(dir, target), links+1)
}
