//go:build linux

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
