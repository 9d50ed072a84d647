package sandbox

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Mount shows a host directory, a host file or a named volume inside the sandbox.
type Mount struct {
	// Source is an absolute path of the host, or the name of a volume, which is made
	// where it does not exist and stays when the sandbox ends.
	Source string
	// Target is the absolute path inside.
	Target string
	// ReadOnly refuses writes from inside.
	ReadOnly bool
}

// volume reports whether the source is the name of a volume and no path.
func (m *Mount) volume() bool { return !strings.ContainsAny(m.Source, `/\`) }

var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$`)

// systemDirs are host directories whose contents must not be reachable from a sandbox.
var systemDirs = []string{"/proc", "/sys", "/dev", "/etc", "/boot", "/run", "/var/run",
	"/var/lib/docker", "/var/lib/containers", "/var/lib/containerd",
	"/bin", "/sbin", "/lib", "/lib64", "/usr"}

// holders are host directories that hold system directories or everybody's homes.
var holders = []string{"/", "/var", "/var/lib", "/home", "/root", "/Users"}

// checkTarget checks where something is mounted; kind is what, for the message.
func (m *Mount) checkTarget(kind string) error {
	if !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target || m.Target == "/" || strings.ContainsAny(m.Target, ":,\x00\r\n") {
		return fmt.Errorf("%s target %q: write an absolute path without '..', ':' or ',', and not /", kind, m.Target)
	}
	if r := within(m.Target, reserved); r != "" {
		return fmt.Errorf("%s target %q is in %s, which belongs to the system", kind, m.Target, r)
	}
	return nil
}

func (m *Mount) check() error {
	if err := m.checkTarget("mount"); err != nil {
		return err
	}
	if m.volume() {
		if !volumeName.MatchString(m.Source) {
			return fmt.Errorf("mount source %q: write an absolute path or the name of a volume (letters, digits, '.', '_', '-')", m.Source)
		}
		return nil
	}
	if !filepath.IsAbs(m.Source) || strings.ContainsAny(m.Source, "\x00\r\n") {
		return fmt.Errorf("mount source %q is not an absolute path", m.Source)
	}
	// What is mounted is what the path leads to, so that is what is judged.
	real, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return fmt.Errorf("mount source: %w (make the directory first)", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return fmt.Errorf("mount source: %w", err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return fmt.Errorf("mount source %q is a %s, such as an engine's socket: only directories and regular files can be mounted", m.Source, info.Mode().Type())
	}
	slashed := filepath.ToSlash(real)
	for _, d := range holders {
		if slashed == d {
			return fmt.Errorf("mount source %q is %s, which is refused: mount a directory below it", m.Source, d)
		}
	}
	if d := within(slashed, systemDirs); d != "" {
		return fmt.Errorf("mount source %q is in %s, a system directory, which is refused", m.Source, d)
	}
	m.Source = real
	return nil
}
