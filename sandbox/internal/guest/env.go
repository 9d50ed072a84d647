//go:build linux

package guest

import "strings"

// mergeEnv adds entries to env. Of several with one name the last one counts.
func mergeEnv(env []string, entries [][]byte) []string {
	if len(entries) == 0 {
		return env
	}
	out := make([]string, 0, len(env)+len(entries))
	at := make(map[string]int, len(env)+len(entries))
	add := func(entry string) {
		name, _, _ := strings.Cut(entry, "=")
		if i, ok := at[name]; ok {
			out[i] = entry
			return
		}
		at[name] = len(out)
		out = append(out, entry)
	}
	for _, e := range env {
		add(e)
	}
	for _, e := range entries {
		add(string(e))
	}
	return out
}

func envValue(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
