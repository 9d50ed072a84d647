package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// figures saves images in a directory of the host, which it makes for the first image. A program
// in the sandbox chose their bytes. So it chooses neither their names nor their number, and an
// existing file is never overwritten.
type figures struct {
	dir   string
	last  int // the number of the last name that was tried
	count int
	bytes int64
}

// The maxima of a session.
const (
	maxFigures     = 1000
	maxFigureBytes = 256 << 20
)

// save writes a new file and returns its name.
func (f *figures) save(ext string, data []byte) (string, error) {
	f.count++
	f.bytes += int64(len(data))
	if f.count > maxFigures || f.bytes > maxFigureBytes {
		return "", fmt.Errorf("a session saves at most %d images and %d MiB; start another", maxFigures, maxFigureBytes>>20)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	for {
		f.last++
		name := fmt.Sprintf("figure-%d.%s", f.last, ext)
		file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = file.Write(data)
		return filepath.Join(f.dir, name), errors.Join(err, file.Close())
	}
}
