package engine

// The labels of containers, images, volumes and networks. They hold only what never
// changes, because an engine cannot edit them.
const (
	// LabelFormat is the version of these labels: Format.
	LabelFormat = "io.drydock.format"
	// LabelKind is the kind of the object, one of the Kind constants.
	LabelKind = "io.drydock.kind"
	// LabelID is random, and tells a sandbox's container from others of its name.
	LabelID = "io.drydock.id"
	// LabelOwner is the process that opened a sandbox or made a network, as
	// BOOTID:PID:START: the host's boot id, the pid, and its start in clock ticks since
	// boot. If the host has no /proc, boot id and start are empty.
	LabelOwner = "io.drydock.owner"
	// LabelCreated is the time of creation, in RFC 3339, UTC.
	LabelCreated = "io.drydock.created"
	// LabelExpires is the time from which a KindBuild is ignored, in RFC 3339, UTC.
	LabelExpires = "io.drydock.expires"
	// LabelLease is the lease of a sandbox that has one, as time.Duration writes it.
	LabelLease = "io.drydock.lease"
	// LabelUser is the user that a volume was made for, as UID:GID; of a snapshot, the user
	// that the caller asked for.
	LabelUser = "io.drydock.user"
	// LabelWritable is "true" on a sandbox with a writable root, and on its snapshots.
	LabelWritable = "io.drydock.writable"
	// LabelWorkDir is the work dir of a snapshot's sandbox.
	LabelWorkDir = "io.drydock.work-dir"
	// LabelRuntime is the name of the runtime that an image was built for.
	LabelRuntime = "io.drydock.runtime"
	// LabelBase is the reference of the image that an image was built on.
	LabelBase = "io.drydock.base"
	// LabelBaseID is the content digest of that image.
	LabelBaseID = "io.drydock.base-id"
)

// Format is the version of the labels.
const Format = "1"

// The kinds of objects.
const (
	KindSandbox  = "sandbox"  // a container
	KindBuild    = "build"    // a container that is never started: the lock of a build
	KindRuntime  = "runtime"  // an image
	KindSnapshot = "snapshot" // an image
	KindVolume   = "volume"
	KindNetwork  = "network"
)
