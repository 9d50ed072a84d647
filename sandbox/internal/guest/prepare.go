//go:build linux

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// prepare makes an image ready: the directories that get a mount at run time, and the account
// files. It runs as root while the image is built, and may run again in an image that is built
// on a prepared one.
func prepare(workDir, home string) error {
	for _, dir := range []string{workDir, home, "/tmp", runDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// runc before 1.2 gives a tmpfs the mode of the directory that it covers, whatever its
		// options say. The user who has to write there is not known yet.
		if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
			return err
		}
	}
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		return err
	}
	if err := copyConnect(); err != nil {
		return err
	}
	for _, name := range accounts {
		link, file := filepath.Join("/etc", name), filepath.Join(runDir, name)
		old, err := os.ReadFile(link)
		if errors.Is(err, fs.ErrNotExist) {
			old, err = accountFile(name, 0, 0, "/root"), nil
		}
		if err == nil {
			err = os.WriteFile(file, old, 0o644)
		}
		if err == nil {
			// A copy that the tmpfs does not hide.
			err = os.WriteFile(base(name), old, 0o644)
		}
		if err == nil {
			err = os.Remove(link)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(file, link); err != nil {
			return err
		}
	}
	return nil
}

// connectPath is a copy of this program that nobody may read. The kernel makes a process of
// such a file undumpable before its first instruction, so a job cannot get at the channel that
// it carries, not even while it starts: see undumpable.
const connectPath = "/.drydock/connect"

func copyConnect() error {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	if err := os.Remove(connectPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(connectPath, program, 0o111)
}

// own gives the top directory of a volume to a user. That of an empty volume has the mode of
// the directory that it covers in the image.
func own(uid, gid, dir string) error {
	u, err := strconv.Atoi(uid)
	if err != nil {
		return err
	}
	g, err := strconv.Atoi(gid)
	if err != nil {
		return err
	}
	// The mode first: without its capability not even root may change it afterwards.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return os.Chown(dir, u, g)
}
