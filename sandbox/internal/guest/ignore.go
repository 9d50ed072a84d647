//go:build linux

package guest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// maxIgnore bounds the rules of a directory, with those of the directories above it, in bytes.
const maxIgnore = 256 << 10

// ignores knows what git ignores in a directory: see gitignore(5). nil ignores nothing.
type ignores struct {
	c     *call
	fail  func()   // called for rules that cannot be read
	dir   string   // the directory, with a "/" at the end
	below string   // the same from the repository's top, or ""
	rules *ruleSet // the innermost
}

// ruleSet is the rules of one file. They come before those of the files further out.
type ruleSet struct {
	outer *ruleSet
	base  string // the directory they are for, as ignores.below
	rules match.IgnoreRules
	size  int // in bytes of the files, with the outer ones
}

// newIgnores returns the rules for a directory that a search starts in: those from the top of
// its repository down, or only its own if it is in no repository. The directory itself is never
// ignored: whoever names it wants it.
func newIgnores(c *call, fail func(), dir string) *ignores {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir // without what is above it
	}
	top := real
	for !isRepository(top) {
		if top == "/" {
			top = real
			break
		}
		top = filepath.Dir(top)
	}
	d := (&ignores{c: c, fail: fail}).enter(top)
	rest := strings.Trim(real[len(top):], "/")
	for name := range strings.SplitSeq(rest, "/") {
		if name != "" {
			d = d.child(name)
		}
	}
	return d
}

// isRepository reports whether a directory is the top of a repository or of a work tree.
func isRepository(dir string) bool {
	info, err := os.Stat(dir + "/.git")
	return err == nil && (info.IsDir() || info.Mode().IsRegular())
}

// enter returns the rules for the top of a repository.
func (d *ignores) enter(dir string) *ignores {
	top := &ignores{c: d.c, fail: d.fail, dir: strings.TrimSuffix(dir, "/") + "/"}
	if exclude := excludeFile(dir); exclude != "" {
		top.load(exclude, 0)
	}
	top.load(top.dir+".gitignore", syscall.O_NOFOLLOW)
	return top
}

// child returns the rules for a directory in d.
func (d *ignores) child(name string) *ignores {
	if d == nil {
		return nil
	}
	dir := d.dir + name
	if isRepository(dir) {
		return d.enter(dir) // it has rules of its own
	}
	sub := &ignores{c: d.c, fail: d.fail, dir: dir + "/", below: d.below + name + "/", rules: d.rules}
	sub.load(sub.dir+".gitignore", syscall.O_NOFOLLOW)
	return sub
}

// inside returns the rules for an entry of d that a walk goes into.
func (d *ignores) inside(e entry) *ignores {
	if d != nil && (e.name == ".." || e.kind != syscall.DT_DIR) {
		return newIgnores(d.c, d.fail, d.dir+e.name) // elsewhere
	}
	return d.child(e.name)
}

// skip reports whether git ignores an entry of d.
func (d *ignores) skip(e entry) bool {
	switch {
	case d == nil || e.name == "..":
		return false
	case e.name == ".git" || d.c.aborted():
		return true
	}
	path := d.below + e.name
	for set := d.rules; set != nil; set = set.outer {
		verdict, err := set.rules.Judge(path[len(set.base):], e.kind == syscall.DT_DIR, d.c.stopped)
		if verdict != match.Undecided || err != nil {
			return verdict != match.Kept
		}
	}
	return false
}

// excludeFile returns the file of a repository with rules that are not committed, or "".
func excludeFile(dir string) string {
	git := dir + "/.git"
	if info, err := os.Stat(git); err != nil {
		return ""
	} else if !info.IsDir() {
		// The top of a further work tree or of a submodule: gitrepository-layout(5).
		if git = pointer(git, "gitdir: "); git == "" {
			return ""
		}
		if common := pointer(git+"/commondir", ""); common != "" {
			git = common
		}
	}
	return git + "/info/exclude"
}

// pointer returns the path that a file of one line holds. A relative one is relative to the
// file's directory.
func pointer(file, prefix string) string {
	text, err := readSmall(file, 0, 8<<10)
	path, ok := strings.CutPrefix(string(text), prefix)
	path, _, _ = strings.Cut(path, "\n")
	if err != nil || !ok || path == "" || strings.HasPrefix(path, "/") {
		return path
	}
	return filepath.Dir(file) + "/" + path
}

// load adds the rules of a file, if it exists.
func (d *ignores) load(file string, flags int) {
	size := 0
	if d.rules != nil {
		size = d.rules.size
	}
	text, err := readSmall(file, flags, searchMemory(1024, maxIgnore)-size)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		d.fail()
		return
	}
	if rules := match.ParseIgnore(text); len(rules) > 0 {
		d.rules = &ruleSet{outer: d.rules, base: d.below, rules: rules, size: size + len(text)}
	}
}

// readSmall reads a regular file of at most maxSize bytes.
func readSmall(path string, flags, maxSize int) ([]byte, error) {
	fd, err := open(path, flags)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = regular(path, info)
	}
	if err == nil && info.Size() > int64(maxSize) {
		err = wire.Errorf(wire.CodeTooLarge, "%s is too large", path)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, int64(maxSize)))
}
