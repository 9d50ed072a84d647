package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

// workspaces are the directories of the sessions, below one root. All operations on them go
// through an os.Root, which no symlink leads out of.
type workspaces struct {
	root *os.Root
	dir  string // the root's path, absolute and without symlinks
}

func openWorkspaces(dir string) (*workspaces, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 {
		err = fmt.Errorf("everybody may write to the workspace root %s (mode %v), and could replace a workspace by something else: chmod o-w it",
			dir, info.Mode())
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &workspaces{root: root, dir: dir}, nil
}

func (w *workspaces) path(id string) string { return filepath.Join(w.dir, id) }

// prepare makes the workspace of a session if there is none, and reports whether it did. The
// sandbox gives it its owner later, under a lock of its own.
func (w *workspaces) prepare(id string) (made bool, err error) {
	err = w.root.Mkdir(id, 0o700)
	made = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	if err := w.check(id); err != nil {
		if made {
			w.undo(id)
		}
		return false, err
	}
	return made, nil
}

// undo removes a workspace that prepare made, unless something is in it.
func (w *workspaces) undo(id string) { _ = w.root.Remove(id) }

// check refuses a file or directory that is no workspace of this id.
func (w *workspaces) check(id string) error {
	info, err := w.root.Lstat(id)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("workspace %s is no directory (its mode is %v): remove it", w.path(id), info.Mode())
	}
	// The engine mounts the path, whatever directory is open here.
	if named, err := os.Lstat(w.path(id)); err != nil || !os.SameFile(info, named) {
		return fmt.Errorf("another directory is in place of the workspace root %s: start a new manager", w.dir)
	}
	same := func(name string) bool {
		other, err := w.root.Lstat(name)
		return err == nil && os.SameFile(info, other)
	}
	list := func() ([]fs.DirEntry, error) { return fs.ReadDir(w.root.FS(), ".") }
	if taken, err := aliased(id, same, list); err != nil {
		return err
	} else if taken {
		return fmt.Errorf("%w: on the file system of %s it names the workspace of another session: use ids of one case",
			ErrInvalidID, w.dir)
	}
	return nil
}

// aliased reports whether the directory of an id was made for another id, which the file
// system takes for the same name: some ignore the case of letters, some ignore dots at the
// end. same reports whether a name leads to that directory. list is called only if another
// name does.
func aliased(id string, same func(string) bool, list func() ([]fs.DirEntry, error)) (bool, error) {
	folds := func(other string) bool { return other != id && same(other) }
	if !folds(otherCase(id)) && !folds(strings.TrimRight(id, ".")) {
		return false, nil
	}
	entries, err := list()
	return !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == id }), err
}

func otherCase(id string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, id)
}

// remove deletes a workspace, in which nothing may run any more.
func (w *workspaces) remove(id string) error {
	err := w.root.RemoveAll(id)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// The sandbox may have taken the permissions of directories from their owner, who is
	// the caller if the caller is not root.
	_ = fs.WalkDir(w.root.FS(), id, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = w.root.Chmod(filepath.FromSlash(name), 0o700)
		}
		return nil // RemoveAll returns the error
	})
	return w.root.RemoveAll(id)
}

func (w *workspaces) close() { w.root.Close() }
