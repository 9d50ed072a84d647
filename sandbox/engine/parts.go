package engine

import (
	"context"
	"io"
	"time"
)

// Pauser is an engine that can freeze containers.
type Pauser interface {
	// Pause freezes all processes of a container.
	Pause(ctx context.Context, name string) error
	// Unpause lets them go on.
	Unpause(ctx context.Context, name string) error
}

// UserConnector is an engine that can start a process of any user in a container.
type UserConnector interface {
	// ConnectUser starts the guest of a user in a running container: GuestPath with the
	// argument "user". If the image does not know the user, Conn.Wait returns ErrNoUser. ctx
	// guards the start only.
	ConnectUser(ctx context.Context, name, user string) (Conn, error)
}

// Volumes is an engine that has named volumes.
type Volumes interface {
	// VolumeLabels returns the labels of a volume, or ErrNoVolume.
	VolumeLabels(ctx context.Context, name string) (map[string]string, error)
	// CreateVolume makes a volume and gives its top directory to a user. It runs the guest
	// of a sandbox image to do so; an image that is not there is ErrNoImage, and then there
	// is no volume either.
	CreateVolume(ctx context.Context, name string, labels map[string]string, image string, uid, gid int) error
}

// Networks is an engine that has private networks.
type Networks interface {
	// CreateNetwork makes a network that has no way out of its host.
	CreateNetwork(ctx context.Context, name string, labels map[string]string) error
	// ListNetworks returns the networks that have a label of that value.
	ListNetworks(ctx context.Context, label, value string) ([]Object, error)
	// RemoveNetwork removes a network and reports whether it is gone. One that a running
	// container uses stays, which is no error.
	RemoveNetwork(ctx context.Context, name string) (gone bool, err error)
}

// Images is an engine that keeps images of its own.
type Images interface {
	// InspectImage describes an image, or returns ErrNoImage.
	InspectImage(ctx context.Context, ref string) (Image, error)
	// ListImages returns the images that have a label of that value, one for each name.
	ListImages(ctx context.Context, label, value string) ([]TaggedImage, error)
	// RemoveImage removes an image, or one name of it. One that does not exist is no error,
	// one that a container uses is ErrInUse.
	RemoveImage(ctx context.Context, ref string) error
}

// ImageBuilder is an engine that can fetch and build images.
type ImageBuilder interface {
	Images
	// Pull fetches an image from its registry and writes the engine's output to progress as
	// it comes. If no registry has it, or none can be asked, that is an error, and
	// ErrNoImage if the engine said so.
	Pull(ctx context.Context, ref string, progress io.Writer) error
	// Build builds an image. An engine that ends in the middle of it is ErrFailed.
	Build(ctx context.Context, b *Build) error
	// Reserve makes a container that is never started, and reports whether it did: if there
	// is one of that name it makes none. It is how processes lock a build.
	Reserve(ctx context.Context, name, image string, labels map[string]string) (bool, error)
}

// ImageArchiver is an engine that can write images to an archive and read them back.
type ImageArchiver interface {
	// SaveImages writes images to w as an archive that LoadImages of any engine takes. One
	// that is not there is ErrNoImage.
	SaveImages(ctx context.Context, w io.Writer, refs ...string) error
	// LoadImages takes the images of an archive and returns their names.
	LoadImages(ctx context.Context, r io.Reader) ([]string, error)
}

// Committer is an engine that can make an image of a container.
type Committer interface {
	// Commit makes an image of a container's root file system. The container stands still
	// meanwhile.
	Commit(ctx context.Context, name, tag string) error
}

// Image is what an image says of itself.
type Image struct {
	ID         string   // content digest
	Digests    []string // "NAME@sha256:...", if it came from a registry
	Created    time.Time
	Size       int64 // bytes
	Labels     map[string]string
	Entrypoint []string
	Cmd        []string
	WorkDir    string
	User       string
	Ports      []string // exposed ports, such as "80/tcp"
	// Health is its HEALTHCHECK: "CMD" and the arguments of a program, "CMD-SHELL" and a
	// line of shell, or "NONE". Empty is none.
	Health        []string
	HealthTimeout time.Duration // 0 is 30 s
}

// TaggedImage is a name of an image, or an image without a name.
type TaggedImage struct {
	Ref string // empty if it has no name
	Image
}

// Build is an image to build.
type Build struct {
	Tag      string
	Context  io.Reader         // a tar archive with a Dockerfile at its top
	Args     map[string]string // build arguments; their values are in no command line
	Progress io.Writer         // takes the builder's output as it comes
	NoCache  bool              // no layer of an earlier build is used
	// Hide masks passwords in the builder's output that an error quotes. Default: none.
	Hide func(string) string
}
