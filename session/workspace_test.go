package session

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"
)

func spaces(t *testing.T) (*workspaces, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep", "root")
	w, err := openWorkspaces(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w, dir
}

func TestWorkspace(t *testing.T) {
	is := is.New(t)
	w, dir := spaces(t)
	made, err := w.prepare("a")
	is.NoErr(err)
	is.True(made)
	for _, name := range []string{dir, filepath.Join(dir, "a")} {
		info, err := os.Stat(name)
		is.NoErr(err)
		is.Equal(info.Mode(), fs.ModeDir|0o700)
	}
	is.NoErr(os.WriteFile(filepath.Join(dir, "a", "file"), nil, 0o600))
	is.NoErr(os.Chmod(filepath.Join(dir, "a"), 0o750))
	made, err = w.prepare("a")
	is.NoErr(err)
	is.True(!made)
	info, err := os.Stat(filepath.Join(dir, "a"))
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), fs.FileMode(0o750)) // an existing directory is left as it is

	_, err = w.prepare("b")
	is.NoErr(err)
	is.NoErr(os.WriteFile(filepath.Join(dir, "b", "file"), nil, 0o600))
	w.undo("b")
	_, err = os.Stat(filepath.Join(dir, "b", "file"))
	is.NoErr(err) // only an empty directory is removed
}

// A symlink or file in place of a workspace is refused, and the target of it is left alone.
func TestWorkspacePlanted(t *testing.T) {
	w, dir := spaces(t)
	outside := t.TempDir()
	inside := filepath.Join(dir, "victim")
	for _, d := range []string{outside, inside} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, plant := range map[string]func(string) error{
		"absolute": func(p string) error { return os.Symlink(outside, p) },
		"relative": func(p string) error { return os.Symlink("../../..", p) },
		"sibling":  func(p string) error { return os.Symlink("victim", p) },
		"dangling": func(p string) error { return os.Symlink(filepath.Join(outside, "new"), p) },
		"file":     func(p string) error { return os.WriteFile(p, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(plant(filepath.Join(dir, name)))
			_, err := w.prepare(name)
			is.True(err != nil && strings.Contains(err.Error(), "is no directory (its mode is ")) // got another error
			entries, err := os.ReadDir(outside)
			is.NoErr(err)
			is.Equal(len(entries), 0)
			is.NoErr(w.remove(name))
			_, err = os.Lstat(filepath.Join(dir, name))
			is.True(errors.Is(err, fs.ErrNotExist))
			for _, d := range []string{outside, inside} {
				_, err = os.Stat(d)
				is.NoErr(err) // the link is removed, and not its target
			}
		})
	}
}

func TestWorkspaceRootReplaced(t *testing.T) {
	is := is.New(t)
	w, dir := spaces(t)
	is.NoErr(os.Rename(dir, dir+"-moved"))
	is.NoErr(os.Mkdir(dir, 0o700))
	_, err := w.prepare("a")
	is.True(err != nil && strings.Contains(err.Error(), "start a new manager"))
}

// A hostile tree is deleted with all that is in it, and nothing else is.
func TestWorkspaceRemove(t *testing.T) {
	is := is.New(t)
	w, dir := spaces(t)
	precious := filepath.Join(t.TempDir(), "precious")
	is.NoErr(os.WriteFile(precious, nil, 0o600))
	a := filepath.Join(dir, "a")
	is.NoErr(os.MkdirAll(filepath.Join(a, "shut", "deeper"), 0o700))
	is.NoErr(os.WriteFile(filepath.Join(a, "shut", "deeper", "file"), nil, 0o400))
	is.NoErr(os.Symlink(filepath.Dir(precious), filepath.Join(a, "out")))
	is.NoErr(os.Symlink("../b", filepath.Join(a, "shut", "other")))
	is.NoErr(os.Mkdir(filepath.Join(dir, "b"), 0o700))
	is.NoErr(os.Chmod(filepath.Join(a, "shut", "deeper"), 0))
	is.NoErr(os.Chmod(filepath.Join(a, "shut"), 0))
	is.NoErr(os.Chmod(a, 0))
	is.NoErr(w.remove("a"))
	_, err := os.Lstat(a)
	is.True(errors.Is(err, fs.ErrNotExist))
	_, err = os.Stat(precious)
	is.NoErr(err)
	_, err = os.Stat(filepath.Join(dir, "b"))
	is.NoErr(err)
	is.NoErr(w.remove("a")) // no error if there is none
}

func TestWorkspaceName(t *testing.T) {
	is := is.New(t)
	w, dir := spaces(t)
	is.NoErr(os.Mkdir(filepath.Join(dir, "Bob"), 0o700))
	_, err := os.Stat(filepath.Join(dir, "bOB"))
	folds := err == nil
	_, err = w.prepare("bob")
	is.Equal(errors.Is(err, ErrInvalidID), folds) // one directory, or another one
	if !folds {
		is.NoErr(err)
		is.Equal(otherCase("aB-1.z"), "Ab-1.Z")
	}
	_, err = w.prepare("Bob")
	is.NoErr(err)
}

// A file system in memory that takes two names for one.
func TestAliased(t *testing.T) {
	disk := fstest.MapFS{"Bob": {Mode: fs.ModeDir}, "dot": {Mode: fs.ModeDir}, "x-1": {Mode: fs.ModeDir}}
	fold := func(name string) string { return strings.TrimRight(strings.ToLower(name), ".") }
	for id, want := range map[string]bool{"Bob": false, "bob": true, "BOB": true, "Bob.": true, "bob..": true,
		"dot": false, "dot.": true, "x-1": false, "X-1": true} {
		t.Run(id, func(t *testing.T) {
			is := is.New(t)
			lists := 0
			list := func() ([]fs.DirEntry, error) { lists++; return disk.ReadDir(".") }
			got, err := aliased(id, func(name string) bool { return fold(name) == fold(id) }, list)
			is.NoErr(err)
			is.Equal(got, want)

			lists = 0
			got, err = aliased(id, func(name string) bool { return name == id }, list)
			is.NoErr(err)
			is.Equal(got, false) // another name is another directory
			is.Equal(lists, 0)   // and nothing has to be listed
		})
	}
}
