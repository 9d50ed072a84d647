package sandbox

import (
	"log/slog"
	"time"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
)

// The defaults of Options.
const (
	DefaultRuntime = "python-minimal"
	DefaultMemory  = 1 << 30 // bytes
	DefaultCPUs    = 2.0     // fewer where the engine has fewer
	DefaultPIDs    = 1024
)

// Home is the home directory of a sandbox's user.
const Home = image.Home

// Options say what Open opens; nil is all defaults.
type Options struct {
	// Runtime is the name of a runtime of Images.Catalog. Default: DefaultRuntime.
	Runtime string
	// Image is the reference of an image to use unchanged, in place of Runtime.
	Image string
	// Snapshot is the name of a snapshot to start from, in place of Runtime: see
	// Sandbox.Snapshot. If a mount has files at the work dir or the home already, that
	// directory is left as it is.
	Snapshot string
	// Images has the catalogue of runtimes, and pulls and builds their images. A service
	// shares one Builder among all its sandboxes. Default: the zero Builder.
	Images *image.Builder
	// Engine runs the container. Default: that of Images.
	Engine engine.Engine

	// Name is the container's name. Default: "drydock-" and random letters.
	Name string
	// Env is the environment of every command, laid over the image's. It appears neither in
	// the container's configuration, which the engine shows, nor on a command line.
	Env map[string]string
	// WorkDir is where commands start and relative paths begin. Unless something is mounted
	// there, it is an empty tmpfs that ends with the sandbox. Default: the runtime's.
	WorkDir string
	// User is "uid", "uid:gid" or a name that the image knows. Default: an unprivileged
	// user of the sandbox's own (see the package documentation).
	User string
	// Users are the values that Command.User may have, such as "root" or "1000:1000". These
	// users run without capabilities too. Default: none.
	Users []string
	// Mounts are host directories and named volumes.
	Mounts []Mount

	// Memory is the limit in bytes, at least 16 MiB. Files in tmpfs mounts count against it,
	// and there is no swap. Default: DefaultMemory.
	Memory int64
	// CPUs is the number of cpus, at least 0.01. More than the engine has means all of them.
	// Default: DefaultCPUs.
	CPUs float64
	// PIDs is how many processes and threads the commands may have, at least 16. The
	// container's limit is 32 higher, for the guest. Default: DefaultPIDs.
	PIDs int64

	// Tmpfs are further file systems in memory: the size in bytes, at least 4096, of each
	// path. They belong to the sandbox's user and count against Memory. An entry for the work
	// dir, Home or /tmp sets the size of that one. Default: none.
	Tmpfs map[string]int64
	// Ulimits are resource limits of the processes by name, such as "nofile". Core files are
	// always off. Default: the engine's.
	Ulimits map[string]engine.Ulimit
	// Network is "none", "bridge", or the name of a network that exists, such as one of
	// CreateNetwork. The host's network and those of other containers are refused. Default:
	// "none", which has a loopback interface only.
	Network string
	// WritableRoot mounts the root file system for writing. The permissions of the image's
	// files still apply. What is written there is on the engine's disk, without a limit, and
	// ends with the sandbox. Default: read-only.
	WritableRoot bool
	// OCIRuntime is the engine's name for the OCI runtime to use, such as "runsc". Default:
	// the engine's default.
	OCIRuntime string

	// Lease is how long the sandbox waits for an Adopt after its process has ended without
	// Close, or has called Detach; at least 1 s. Adopt finds it by its Name. Meanwhile
	// background jobs go on; other commands are ended as by their Timeout, because their
	// results can reach nobody. Opening takes about 0.1 s longer. Default: 0, the sandbox ends
	// with the process.
	Lease time.Duration

	// StartTimeout bounds the start of the container, without pulls and builds. Default: 1
	// minute.
	StartTimeout time.Duration
	// Logger logs when the sandbox is opened and ends, and failures in the background.
	// Default: that of Images.
	Logger *slog.Logger
}
