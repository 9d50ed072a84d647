package image

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MarkUsed records that a sandbox uses an image now: see RuntimeImage.Used. It ignores
// images that are no runtime's. If the record cannot be written, Prune takes the image for
// unused since it was built, and at worst it is built again.
func MarkUsed(ref string) {
	record := useRecord(ref)
	if record == "" {
		return
	}
	now := time.Now()
	if os.Chtimes(record, now, now) == nil {
		return
	}
	_ = os.MkdirAll(filepath.Dir(record), 0o700)
	_ = os.WriteFile(record, nil, 0o600)
}

// useRecord is the file whose modification time is that of an image's last use, or "" if
// there can be none.
func useRecord(ref string) string {
	dir, err := os.UserCacheDir()
	name, ours := strings.CutPrefix(ref, repository)
	if err != nil || !ours || strings.ContainsAny(name, `/\`) {
		return ""
	}
	return filepath.Join(dir, "drydock", "used", strings.Replace(name, ":", "@", 1))
}

// lastUse is when an image was last used, or the zero time.
func lastUse(ref string) time.Time {
	if info, err := os.Stat(useRecord(ref)); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}

func forgetUse(ref string) {
	if record := useRecord(ref); record != "" {
		_ = os.Remove(record)
	}
}
