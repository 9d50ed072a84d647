package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/drydock-go/drydock/tools"
)

// figures saves images in a directory of the host, which it makes for the first image. The model
// chose their names and a program in the sandbox their bytes. So a name is one plain element, and
// an existing file is never overwritten.
type figures struct{ dir string }

// save writes an image and returns the file's name on the host.
func (f *figures) save(call anthropic.ToolUseBlock, image tools.Image) (string, error) {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	stem, ext := plainName(call), "."+strings.TrimPrefix(image.MediaType, "image/")
	for n := 1; n <= 1000; n++ {
		name := stem + ext
		if n > 1 {
			name = fmt.Sprintf("%s-%d%s", stem, n, ext)
		}
		err := create(root, name, image.Data)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return filepath.Join(f.dir, name), err
	}
	return "", fmt.Errorf("%s has a thousand files like %s%s: remove some and try again", f.dir, stem, ext)
}

// create writes a new file. If the file exists and has the same bytes, nothing is left to do.
func create(root *os.Root, name string, data []byte) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		info, statErr := root.Lstat(name)
		if statErr != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
			return err
		}
		if old, readErr := root.ReadFile(name); readErr == nil && bytes.Equal(old, data) {
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// plainName returns the name of the file that a call read, without its extension and in characters
// that have no meaning to a terminal, a shell or a file system.
func plainName(call anthropic.ToolUseBlock) string {
	var args struct{ Path string }
	_ = json.Unmarshal(call.Input, &args)
	base := path.Base(args.Path)
	base = strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return r
		}
		return '_'
	}, strings.TrimSuffix(base, path.Ext(base)))
	base = strings.TrimLeft(base, ".-")
	if base = base[:min(len(base), 60)]; base == "" || base == "_" {
		return "figure"
	}
	return base
}
