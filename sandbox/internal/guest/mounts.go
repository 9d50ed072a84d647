//go:build linux

package guest

import (
	"os"
	"strings"
)

// mountsBelow returns the mounts below a directory, by their paths in it.
func mountsBelow(dir string) (map[string]bool, error) {
	dir, err := evalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return mountsIn(string(table), dir), nil
}

// mountsIn reads proc_pid_mountinfo(5). The fifth field is where something is mounted.
func mountsIn(table, dir string) map[string]bool {
	const place = 4
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	all := make(map[string]bool)
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) <= place {
			continue
		}
		if below, ok := strings.CutPrefix(unescape.Replace(fields[place]), strings.TrimSuffix(dir, "/")+"/"); ok && below != "" {
			all[below] = true
		}
	}
	return all
}

// holdsMount reports whether one of the mounts is below name.
func holdsMount(mounts map[string]bool, name string) bool {
	for m := range mounts {
		if strings.HasPrefix(m, name+"/") {
			return true
		}
	}
	return false
}
