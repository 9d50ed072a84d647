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

// lookPath finds a program as a shell would. Its error tells a program that is not there from
// one that cannot be executed.
func lookPath(name, dir, path string) (string, error) {
	if name == "" {
		return "", wire.Invalid("empty command")
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	var denied error
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		file := filepath.Join(d, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if e := wireError(err); e.Code == wire.CodeNotExec || e.Code == wire.CodePermission {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", wire.Errorf(wire.CodeNoCommand, "%q: command not found in PATH=%s", name, path)
}

func executable(file string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.CodeNoCommand, "%s: command not found", file)
	}
	if err != nil {
		return describe("command", err)
	}
	if info.IsDir() {
		return wire.Errorf(wire.CodeIsDir, "command %q is a directory", file)
	}
	const xOK = 1
	if err := syscall.Access(file, xOK); err != nil {
		return wire.Errorf(wire.CodeNotExec, "command %q is not executable", file)
	}
	return nil
}
