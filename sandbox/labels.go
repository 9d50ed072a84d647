package sandbox

import (
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The labels of containers, images and volumes. They hold only what never changes, because an
// engine cannot edit them.
const (
	// LabelFormat is the version of these labels: "1".
	LabelFormat = "io.drydock.format"
	// LabelKind is what the object is: "sandbox" or "build" (containers, the second to keep
	// others from building the same), "runtime" or "snapshot" (images), "volume" or "network".
	LabelKind = "io.drydock.kind"
	// LabelID is random, and tells a sandbox's container from others of its name.
	LabelID = "io.drydock.id"
	// LabelOwner is the process that opened a sandbox or made a network, as
	// BOOTID:PID:START: the host's boot id, the pid, and its start in clock ticks since boot.
	// Where the host has no /proc, boot id and start are empty.
	LabelOwner = "io.drydock.owner"
	// LabelCreated is when, in RFC 3339, UTC.
	LabelCreated = "io.drydock.created"
	// LabelExpires is when a "build" is not believed any more, in RFC 3339, UTC.
	LabelExpires = "io.drydock.expires"
	// LabelLease is Options.Lease; a sandbox without one has none.
	LabelLease = "io.drydock.lease"
	// LabelUser is whom a volume was made for, as UID:GID; of a snapshot, Options.User.
	LabelUser = "io.drydock.user"
	// LabelWritable is "true" on a sandbox with a WritableRoot, and on its snapshots.
	LabelWritable = "io.drydock.writable"
	// LabelWorkDir is the work dir of a snapshot's sandbox.
	LabelWorkDir = "io.drydock.work-dir"
	// LabelRuntime is the name of the runtime an image was built for.
	LabelRuntime = "io.drydock.runtime"
	// LabelBase is the reference of the image it was built on, LabelBaseID that image's id.
	LabelBase   = "io.drydock.base"
	LabelBaseID = "io.drydock.base-id"
)

const labelFormat = "1"

var owner = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return fmt.Sprintf("%s:%d:%s", strings.TrimSpace(string(boot)), os.Getpid(), startTicks(os.Getpid()))
})

// startTicks is when a process started, which tells it from a later one of its pid; empty
// where there is none, or no /proc.
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

func containerLabels() map[string]string {
	labels := ownedLabels("sandbox")
	labels[LabelID] = rand.Text()
	return labels
}

// ownedLabels are those of what ends with this process.
func ownedLabels(kind string) map[string]string {
	return map[string]string{
		LabelFormat:  labelFormat,
		LabelKind:    kind,
		LabelOwner:   owner(),
		LabelCreated: time.Now().UTC().Format(time.RFC3339),
	}
}
