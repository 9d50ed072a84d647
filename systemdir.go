package drydock

import "strings"

// systemDirs belong to the image or to the sandbox: nothing is mounted on them or below them.
var systemDirs = []string{
	"/.drydock", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys",
	"/usr/bin", "/usr/lib", "/usr/sbin",
}

// sharedDirs hold files of many programs. They are no work dirs themselves, but directories
// below them are, such as /usr/src/app.
var sharedDirs = []string{"/run", "/tmp", "/usr/local", "/var"}

// SystemDir reports whether dir, an absolute and clean path, is a directory of the system, is in
// one or holds one. It returns that system directory. Nothing can be mounted on such a path, so
// it is refused as a work dir and as the target of a mount. A few directories, such as /tmp, can
// be mounted on but are no work dirs: [Runtime.Validate] knows those as well.
func SystemDir(dir string) (system string, ok bool) {
	if dir == "/" || dir == "/usr" {
		return dir, true // they hold the others
	}
	for _, system := range systemDirs {
		if dir == system || strings.HasPrefix(dir, system+"/") {
			return system, true
		}
	}
	return "", false
}
