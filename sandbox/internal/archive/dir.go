package archive

import (
	"io/fs"
	"os"
	"path"
	"syscall"
)

// dirFS is a directory as an fs.FS. That of an os.Root takes only names in UTF-8, this one takes
// all. No symlink leads out of it, and no file that it opens blocks.
type dirFS struct {
	root *os.Root
	sub  *os.Root // the directory at, which was used last
	at   string
}

func openDir(name string) (*dirFS, error) {
	root, err := openRoot(name)
	if err != nil {
		return nil, err
	}
	return &dirFS{root: root}, nil
}

// openRoot is os.OpenRoot for directories alone: that would wait for a writer if the name were a
// FIFO's.
func openRoot(name string) (*os.Root, error) {
	return os.OpenRoot(name + string(os.PathSeparator) + ".")
}

func (d *dirFS) Close() {
	if d.sub != nil {
		d.sub.Close()
	}
	d.root.Close()
}

// in returns the directory of a file, and the file's name in it.
func (d *dirFS) in(name string) (*os.Root, string, error) {
	dir, base := path.Split(name)
	switch {
	case dir == "":
		return d.root, base, nil
	case d.sub == nil || d.at != dir:
		sub, err := d.root.OpenRoot(dir + ".")
		if err != nil {
			return nil, "", err
		}
		if d.sub != nil {
			d.sub.Close()
		}
		d.sub, d.at = sub, dir
	}
	return d.sub, base, nil
}

// Open implements fs.FS.
func (d *dirFS) Open(name string) (fs.File, error) {
	root, base, err := d.in(name)
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(base, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadLink implements fs.ReadLinkFS.
func (d *dirFS) ReadLink(name string) (string, error) {
	root, base, err := d.in(name)
	if err != nil {
		return "", err
	}
	return root.Readlink(base)
}

// Lstat implements fs.ReadLinkFS.
func (d *dirFS) Lstat(name string) (fs.FileInfo, error) {
	root, base, err := d.in(name)
	if err != nil {
		return nil, err
	}
	return root.Lstat(base)
}
