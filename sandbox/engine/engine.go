package engine

import (
	"cmp"
	"context"
	"io"
	"os"
	"strings"
)

// Where a sandbox's image has the guest, the program that an Engine starts.
const (
	// GuestPath is the entrypoint of every container, and for a UserConnector, with the
	// argument "user", the guest of another user.
	GuestPath = "/.drydock/guest"
	// ConnectPath is the copy of the guest that Engine.Connect runs, with the argument
	// "connect".
	ConnectPath = "/.drydock/connect"
)

// Engine is what every sandbox needs of a container engine. It must be safe for concurrent
// use. Whatever only some engines can do is an interface of its own: see Require.
type Engine interface {
	// Info describes the engine. A success is remembered, a failure is not.
	Info(ctx context.Context) (Info, error)
	// Start creates and starts a container and returns its stdin and stdout at once,
	// before it runs. If the image is not there, Conn.Wait returns ErrNoImage. ctx guards
	// the start only.
	Start(ctx context.Context, c *Container) (Conn, error)
	// StartDetached creates and starts a container and returns when it runs. An image that
	// is not there is ErrNoImage.
	StartDetached(ctx context.Context, c *Container) error
	// Connect runs ConnectPath in a running container. ctx guards the start only.
	Connect(ctx context.Context, name string) (Conn, error)
	// List returns the containers that have a label of that value, running or not. If label
	// is empty it returns all containers.
	List(ctx context.Context, label, value string) ([]Object, error)
	// Remove ends and removes a container with its anonymous volumes. One that does not
	// exist is no error.
	Remove(ctx context.Context, name string) error
}

// Info describes an engine.
type Info struct {
	Name     string // "docker", "podman"
	Version  string // of the server
	Arch     string // in the words of GOARCH
	CPUs     int
	Rootless bool
	// CacheMounts is set if its builder takes RUN --mount=type=cache.
	CacheMounts bool
}

// Conn is the process that holds a container: it lives as long as the sandbox does.
type Conn interface {
	Stdin() io.WriteCloser
	Stdout() *os.File
	// Done is closed when the process has ended.
	Done() <-chan struct{}
	// Wait waits for the end of the process. It returns nil after a clean end, else the
	// reason.
	Wait() error
	// Close closes stdin, and if that does not end the process, signals do. It returns when
	// the process has ended.
	Close()
}

// Container is a container to start. Every container is hardened as well: the list is in
// harden.go, and the package documentation of sandbox describes it.
type Container struct {
	Name    string
	Image   string
	Args    []string // of the guest, which is the entrypoint
	Labels  map[string]string
	User    string // uid:gid, or a name that the image knows
	KeepID  bool   // rootless podman: the caller has the same uid inside
	WorkDir string
	Tmpfs   []Tmpfs
	Mounts  []Mount
	Ulimits map[string]Ulimit
	Runtime string // OCI runtime; empty is the engine's own
	Memory  int64  // bytes
	CPUs    float64
	PIDs    int64
	Network string
	// WritableRoot lets the root file system be written to.
	WritableRoot bool
}

// Tmpfs is a file system in memory, without device nodes and without setuid.
type Tmpfs struct {
	Target   string
	Size     int64 // bytes
	Private  bool  // mode 0700, owned by UID and GID; else mode 01777, owned by root
	UID, GID int   // of the container's user
	NoExec   bool
}

// Mount shows a host directory, a host file or a named volume inside a sandbox.
type Mount struct {
	// Source is an absolute path of the host, or the name of a volume. A volume that does
	// not exist is made, and stays when the sandbox ends.
	Source string
	// Target is the absolute path inside.
	Target string
	// ReadOnly refuses writes from inside.
	ReadOnly bool
}

// IsVolume reports whether the source is the name of a volume and not a path.
func (m Mount) IsVolume() bool { return !strings.ContainsAny(m.Source, `/\`) }

// Ulimit is a resource limit; -1 is unlimited.
type Ulimit struct{ Soft, Hard int64 }

// Object is a container or a network that an engine has.
type Object struct {
	// ID is the engine's, and no later object has it. It is empty if the engine gives none.
	ID    string
	Name  string
	Image string // of a container
	// ImageID is the content digest of a container's image. It is empty if Image is an id,
	// or still names that image.
	ImageID string
	State   string // of a container: "created", "running", "paused", "exited"
	Labels  map[string]string
}

// Ref names the object to its engine, and no later object of the same name.
func (o Object) Ref() string { return cmp.Or(o.ID, o.Name) }
