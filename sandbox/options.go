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
	// Image is an image to use as it is, in place of Runtime.
	Image string
	// Snapshot is the name that Sandbox.Snapshot saved under, in place of Runtime. A work dir
	// or a home that a mount already has files for is left as it is.
	Snapshot string
	// Images makes the image ready, and has the catalogue of runtimes. A service makes one
	// Builder that all its sandboxes share. Default: the zero Builder.
	Images *image.Builder
	// Engine runs the container. Default: that of Images.
	Engine engine.Engine

	// Name is the container's name. Default: "drydock-" and random letters.
	Name string
	// Env is set for every command, over the image's. It is no part of the container's
	// configuration that the engine shows, nor of any command line.
	Env map[string]string
	// WorkDir is where commands start and relative paths begin. Default: the runtime's.
	// Unless something is mounted there it is an empty tmpfs that ends with the sandbox.
	WorkDir string
	// User is "uid", "uid:gid" or a name that the image knows. Default: an unprivileged
	// user of the sandbox's own (see the package documentation).
	User string
	// Users are those that a Command may ask for by Command.User, such as "root" or
	// "1000:1000", beside User. They too run without capabilities.
	Users []string
	// Mounts are host directories and named volumes.
	Mounts []Mount

	// Memory is in bytes and bounds the tmpfs mounts as well; there is no swap beside it.
	// Default: DefaultMemory.
	Memory int64
	// CPUs is how many. Default: DefaultCPUs, and never more than the engine has.
	CPUs float64
	// PIDs is how many processes and threads the commands may have. The container's limit is
	// 32 higher, for the guest. Default: DefaultPIDs.
	PIDs int64

	// Tmpfs are further file systems in memory: their sizes in bytes, by path. They belong to
	// the sandbox's user, and count against Memory.
	Tmpfs map[string]int64
	// Ulimits are resource limits of the processes by name, such as "nofile". Core files
	// are always off.
	Ulimits map[string]engine.Ulimit
	// Network is "none", "bridge", or the name of a network that exists, such as one of
	// CreateNetwork. The host's network and those of other containers are refused. Default:
	// "none", which has a loopback interface and nothing else.
	Network string
	// WritableRoot lets the sandbox's user write to the root file system, if the image lets
	// that user. Files there are on the engine's disk, without a limit, and end with the
	// sandbox. Default: read-only.
	WritableRoot bool
	// OCIRuntime is the engine's name of the runtime to use, such as "runsc". Default: the
	// engine's own default.
	OCIRuntime string

	// Lease is how long the sandbox waits for an Adopt after the process that opened or
	// adopted it has gone without Close. Give it a Name to be found by. Background jobs go on
	// meanwhile; commands whose result nobody can hear any more are ended, as by their
	// Timeout. A sandbox with a lease takes about 0.1 s longer to open. Default: 0, it ends
	// with the process.
	Lease time.Duration

	// StartTimeout bounds the start of the container, pulls and builds not counted.
	// Default: 1 minute.
	StartTimeout time.Duration
	// Logger is told of the life of the sandbox. Default: that of Images.
	Logger *slog.Logger
}
