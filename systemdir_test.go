package drydock

import (
	"testing"

	"github.com/matryer/is"
)

// A work dir is a mount, so a directory that is refused as a target is refused as a work dir.
func TestSystemDir(t *testing.T) {
	for _, tt := range []struct {
		dir, system string
		workDir     bool
	}{
		{"/", "/", false},
		{"/usr", "/usr", false},
		{"/etc", "/etc", false},
		{"/etc/x", "/etc", false},
		{"/usr/lib/python3", "/usr/lib", false},
		{"/usr/lib32", "", true},
		{"/.drydock/run", "/.drydock", false},
		{"/etcetera", "", true},
		{"/tmp", "", false},
		{"/tmp/build", "", true},
		{"/run", "", false},
		{"/var", "", false},
		{"/var/lib/data", "", true},
		{"/usr/local", "", false},
		{"/usr/src/app", "", true},
		{"/workspace", "", true},
	} {
		t.Run(tt.dir, func(t *testing.T) {
			is := is.New(t)
			system, ok := SystemDir(tt.dir)
			is.Equal(system, tt.system)                      // the directory
			is.Equal(ok, tt.system != "")                    // found
			is.Equal(checkWorkDir(tt.dir) == "", tt.workDir) // as a work dir
		})
	}
}
