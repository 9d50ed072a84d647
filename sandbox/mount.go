package sandbox

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// Mount shows a host directory, a host file or a named volume inside the sandbox.
type Mount = engine.Mount

var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$`)

// systemDirs are host directories that no mount may show to a sandbox.
var systemDirs = []string{"/proc", "/sys", "/dev", "/etc", "/boot", "/run", "/var/run",
	"/var/lib/docker", "/var/lib/containers", "/var/lib/containerd",
	"/bin", "/sbin", "/lib", "/lib64", "/usr"}

// parentDirs are host directories that hold system directories or the homes of all users.
var parentDirs = []string{"/", "/var", "/var/lib", "/home", "/root", "/Users"}

// checkTarget checks the path in the sandbox that something is mounted at. kind is "mount" or
// "tmpfs", for the message.
func checkTarget(kind, target string) error {
	if !path.IsAbs(target) || path.Clean(target) != target || strings.ContainsAny(target, ":,\x00\r\n") {
		return fmt.Errorf("%s target %q: write an absolute path without '..', ':' and ','", kind, target)
	}
	if dir, system := drydock.SystemDir(target); system {
		return fmt.Errorf("%s target %q is in %s, which belongs to the system: write another, such as /data", kind, target, dir)
	}
	return nil
}

// resolveMount checks a mount and returns it with the symlinks of its source resolved.
func resolveMount(m Mount) (Mount, error) {
	if err := checkTarget("mount", m.Target); err != nil {
		return m, err
	}
	if m.IsVolume() {
		if !volumeName.MatchString(m.Source) {
			return m, fmt.Errorf("mount source %q: write an absolute path or the name of a volume (letters, digits, '.', '_', '-')", m.Source)
		}
		return m, nil
	}
	if !filepath.IsAbs(m.Source) || strings.ContainsAny(m.Source, "\x00\r\n") {
		return m, fmt.Errorf("mount source %q is not an absolute path", m.Source)
	}
	// The engine mounts the target of a symlink, so the target is checked.
	real, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return m, fmt.Errorf("mount source: %w (make the directory first)", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return m, fmt.Errorf("mount source: %w", err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return m, fmt.Errorf("mount source %q is a %s, such as an engine's socket: only directories and regular files can be mounted", m.Source, info.Mode().Type())
	}
	slashed := filepath.ToSlash(real)
	if slices.Contains(parentDirs, slashed) {
		return m, fmt.Errorf("mount source %q is %s, which is refused: mount a directory below it", m.Source, slashed)
	}
	if d := within(slashed, systemDirs); d != "" {
		return m, fmt.Errorf("mount source %q is in %s, a system directory, which is refused", m.Source, d)
	}
	m.Source = real
	return m, nil
}

// within returns the one of dirs that is dir or holds it, or "" if none does.
func within(dir string, dirs []string) string {
	for _, d := range dirs {
		if dir == d || strings.HasPrefix(dir, strings.TrimSuffix(d, "/")+"/") {
			return d
		}
	}
	return ""
}
