//go:build linux

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// runDir is where a small tmpfs of the sandbox's own user is mounted.
const runDir = "/.drydock/run"

// accounts are the account files. The user of a sandbox is not known when its image is built,
// so prepare moves the files to runDir and leaves links. At the start the guest writes them
// anew with an entry for that user, so that whoami, git and ssh know who they are.
var accounts = []string{"passwd", "group"}

// accountName is the name of the sandbox's user and group.
const accountName = "sandbox"

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

// base returns the path of the image's own account file.
func base(name string) string { return "/.drydock/" + name }

// accountFile returns an account file with one entry.
func accountFile(name string, uid, gid int, home string) []byte {
	account := accountName
	if uid == 0 {
		account = "root"
	}
	if name == "group" {
		return fmt.Appendf(nil, "%s:x:%d:\n", account, gid)
	}
	return fmt.Appendf(nil, "%s:x:%d:%d::%s:/bin/sh\n", account, uid, gid, home)
}

// writeAccounts writes the account files of the running sandbox: an entry for its user, which
// comes first so that look-ups by number find it, and the image's own entries.
func writeAccounts(uid, gid int, home string) error {
	for _, name := range accounts {
		old, err := os.ReadFile(base(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the image is not prepared: tests run the guest on the host
		}
		if err != nil {
			return err
		}
		content := string(old)
		if id := map[string]int{"passwd": uid, "group": gid}[name]; !hasID(content, id) {
			content = string(accountFile(name, uid, gid, home)) + content
		}
		// A new file: a job may have put a FIFO there, which would wait for ever.
		file := filepath.Join(runDir, name)
		temp := file + ".new"
		_ = os.Remove(temp)
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(content)
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(temp, file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasID reports whether an account file has an entry with that number.
func hasID(content string, id int) bool {
	for line := range strings.Lines(content) {
		if f := strings.Split(line, ":"); len(f) > 2 && strings.TrimSpace(f[2]) == fmt.Sprint(id) {
			return true
		}
	}
	return false
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
