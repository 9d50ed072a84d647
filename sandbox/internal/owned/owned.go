// Package owned knows which process owns what Drydock has made on an engine, from the
// labels there, and what nobody owns any more.
package owned

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
)

// ThisProcess is the value of engine.LabelOwner for this process.
var ThisProcess = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return fmt.Sprintf("%s:%d:%s", strings.TrimSpace(string(boot)), os.Getpid(), startTicks(os.Getpid()))
})

// Labels are those of an object of a kind that ends with this process.
func Labels(kind string) map[string]string {
	return map[string]string{
		engine.LabelFormat:  engine.Format,
		engine.LabelKind:    kind,
		engine.LabelOwner:   ThisProcess(),
		engine.LabelCreated: time.Now().UTC().Format(time.RFC3339),
	}
}

// Abandoned reports whether nobody will ever use or remove a container or a network.
func Abandoned(o engine.Object, now time.Time) bool {
	if o.State == "running" || o.State == "removing" {
		return false
	}
	if o.State == "paused" && o.Labels[engine.LabelLease] != "" {
		return false // somebody may come to wake it
	}
	if expires, err := time.Parse(time.RFC3339, o.Labels[engine.LabelExpires]); err == nil && now.After(expires) {
		return true
	}
	boot, process, _ := strings.Cut(o.Labels[engine.LabelOwner], ":")
	pid, start, _ := strings.Cut(process, ":")
	thisBoot, _, _ := strings.Cut(ThisProcess(), ":")
	if boot != thisBoot {
		// It is another host's, or this one's from before a reboot: allow it a day.
		created, err := time.Parse(time.RFC3339, o.Labels[engine.LabelCreated])
		return err == nil && now.Sub(created) > 24*time.Hour
	}
	n, err := strconv.Atoi(pid)
	return err == nil && startTicks(n) != start
}

// startTicks is when a process started, in clock ticks since boot, which tells it from a
// later process of the same pid. It is empty if there is no such process, or no /proc.
func startTicks(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name, in parentheses, may itself hold spaces and parentheses; starttime is
	// field 22, the 20th after it. See proc(5).
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return ""
	}
	if _, err := strconv.ParseUint(fields[19], 10, 64); err != nil {
		return ""
	}
	return fields[19]
}
