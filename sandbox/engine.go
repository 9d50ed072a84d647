package sandbox

import (
	"cmp"
	"context"
	"io"
	"os"
	"time"
)

// Engine is what a sandbox needs of a container engine. Docker, podman and their like
// are reached with Docker; something else that can run a container on a pipe can stand
// in. It must be safe for concurrent use.
type Engine interface {
	// Info describes the engine. A success is remembered, a failure is not.
	Info(ctx context.Context) (EngineInfo, error)
	// Start creates and starts a container and returns its stdin and stdout at once,
	// before it runs. An image that is not there shows as ErrNoImage from Conn.Wait.
	Start(ctx context.Context, c *Container) (Conn, error)
	// StartDetached creates and starts a container and returns when it runs.
	StartDetached(ctx context.Context, c *Container) error
	// Connect runs the guest's connect in a running container, or for a user that is not
	// empty a guest of that user's. One that the image does not know shows as ErrUser from
	// Conn.Wait.
	Connect(ctx context.Context, name, user string) (Conn, error)
	// List returns the containers that have a label of that value, running or not; all
	// there are where label is empty.
	List(ctx context.Context, label, value string) ([]Listed, error)
	// Remove ends and removes a container with its anonymous volumes. One that does not
	// exist is no error.
	Remove(ctx context.Context, name string) error
	// VolumeLabels returns the labels of a volume, or ErrNoVolume.
	VolumeLabels(ctx context.Context, name string) (map[string]string, error)
	// CreateVolume makes a volume and gives its top directory to a user; image is a
	// sandbox image, whose guest does that.
	CreateVolume(ctx context.Context, name string, labels map[string]string, image string, uid, gid int) error
	// Pause freezes all processes of a container, Unpause lets them go on.
	Pause(ctx context.Context, name string) error
	Unpause(ctx context.Context, name string) error
	// CreateNetwork makes a network that has no way out of its host.
	CreateNetwork(ctx context.Context, name string, labels map[string]string) error
	// Networks returns the networks that have a label of that value.
	Networks(ctx context.Context, label, value string) ([]Listed, error)
	// RemoveNetwork removes a network and reports whether it is gone: one that a running
	// container uses stays, which is no error.
	RemoveNetwork(ctx context.Context, name string) (gone bool, err error)
	// Image describes an image on the engine, or returns ErrNoImage.
	Image(ctx context.Context, ref string) (ImageInfo, error)
	// Images returns the images that have a label of that value.
	Images(ctx context.Context, label, value string) ([]ListedImage, error)
	// RemoveImage removes an image, or one name of it. One that does not exist is no error,
	// one that a container uses is ErrInUse.
	RemoveImage(ctx context.Context, ref string) error
	// SaveImages writes images to w as an archive that LoadImages of any engine takes.
	SaveImages(ctx context.Context, w io.Writer, refs ...string) error
	// LoadImages takes the images of an archive and returns their names.
	LoadImages(ctx context.Context, r io.Reader) ([]string, error)
	// Commit makes an image of a container's root file system.
	Commit(ctx context.Context, name, tag string) error
	// Pull fetches an image from its registry.
	Pull(ctx context.Context, ref string, progress io.Writer) error
	// Build builds an image.
	Build(ctx context.Context, b *Build) error
	// Reserve makes a container of an image that is never started, and reports whether it did:
	// not where there is one of that name.
	Reserve(ctx context.Context, name, image string, labels map[string]string) (bool, error)
}

// EngineInfo is what a sandbox has to know of its engine.
type EngineInfo struct {
	Name     string // "docker", "podman"
	Version  string // of the server
	Arch     string // in the words of GOARCH
	CPUs     int
	Rootless bool
	// CacheMounts: its builder takes RUN --mount=type=cache.
	CacheMounts bool
}

// Build is an image to build.
type Build struct {
	Tag      string
	Context  io.Reader         // a tar archive with a Dockerfile at its top
	Args     map[string]string // of the build; their values are in no command line
	Progress io.Writer         // takes the builder's output as it comes
	NoCache  bool              // no layer of a build before is used
	// Hide takes passwords out of what an error says of the builder's output; nil leaves it.
	Hide func(string) string
}

// Conn is the process that holds a container: its life is the sandbox's.
type Conn interface {
	Stdin() io.WriteCloser
	Stdout() *os.File
	// Done is closed when the process has ended.
	Done() <-chan struct{}
	// Wait waits for the end and returns why it was not a clean one.
	Wait() error
	// Close closes stdin and climbs the ladder until the process has ended.
	Close()
}

// ImageInfo is what an image says of itself.
type ImageInfo struct {
	ID         string   // content digest
	Digests    []string // "NAME@sha256:...", of an image that came from a registry
	Created    time.Time
	Size       int64 // bytes
	Labels     map[string]string
	Entrypoint []string
	Cmd        []string
	WorkDir    string
	User       string
	Ports      []string // that it exposes, such as "80/tcp"
	// Health is its HEALTHCHECK: "CMD" and the arguments of a program, "CMD-SHELL" and a
	// line of shell, or "NONE". Empty is none.
	Health        []string
	HealthTimeout time.Duration // 0 is 30 s
}

// Listed is a container or a network that there is.
type Listed struct {
	// ID is the engine's, which nothing that comes later has. Empty does for an engine that
	// gives none.
	ID    string
	Name  string
	Image string // of a container
	// ImageID is that image's content digest, or empty where Image is an id, or names the
	// image still.
	ImageID string
	State   string // of a container: "created", "running", "paused", "exited"
	Labels  map[string]string
}

// ref is what to name it to the engine by, where it must be this one and no later one.
func (l *Listed) ref() string { return cmp.Or(l.ID, l.Name) }

// ListedImage is a name of an image, or an image that has none.
type ListedImage struct {
	Ref string // empty if it has no name
	ImageInfo
}

// Container is a container to start, already hardened: everything that Engine.Start
// switches on is the same for all and not listed here (see the package documentation).
type Container struct {
	Name    string
	Image   string
	Args    []string // of the guest, which is the entrypoint
	Labels  map[string]string
	User    string // uid:gid, or a name of the image
	KeepID  bool   // rootless podman: map the caller's uid to itself
	WorkDir string
	Tmpfs   []Tmpfs
	Mounts  []Mount
	Ulimits map[string]Ulimit
	Runtime string // OCI runtime; empty is the engine's own
	Memory  int64  // bytes
	CPUs    float64
	PIDs    int64
	Procs   int64 // for the guest: how many its user may have, or 0
	Network string
	// WritableRoot lets the root file system be written to.
	WritableRoot bool
}

// Tmpfs is a file system in memory, without device nodes and without setuid.
type Tmpfs struct {
	Target   string
	Size     int64 // bytes
	Private  bool  // mode 0700 and owned by the container's user; else 01777 and root's
	UID, GID int   // of the container's user, where Private
	NoExec   bool
}
