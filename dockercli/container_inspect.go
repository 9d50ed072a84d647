package dockercli

import (
	"cmp"
	"context"
	"strings"
	"time"
)

// Container is a container as the engine set it up, which may differ from what was asked for.
type Container struct {
	ID      string
	Name    string
	Image   string // the reference it was made from
	ImageID string
	Created time.Time
	Labels  map[string]string
	User    string
	Runtime string // OCI runtime
	State   State
	Limits  Limits
	Mounts  []MountPoint

	Privileged     bool
	ReadOnly       bool
	CapAdd         []string
	CapDrop        []string
	SecurityOpt    []string
	NetworkMode    string
	IPCMode        string
	PIDMode        string
	UserNSMode     string
	CgroupNSMode   string
	Restart        string
	LogDriver      string
	Tmpfs          map[string]string
	PublishedPorts int // ports published on the host
}

// State is the state of a container.
type State struct {
	Status     string // "created", "running", "paused", "exited", ...
	ExitCode   int    // of a container that has exited
	OOMKilled  bool
	PID        int    // on the engine's host; 0 if the container does not run
	Error      string // why it did not start
	StartedAt  time.Time
	FinishedAt time.Time
}

// Limits are the limits of a container; 0 is none.
type Limits struct {
	Memory     int64 // bytes
	MemorySwap int64 // bytes of memory and swap together; -1 is unlimited
	CPUs       float64
	Pids       int64
}

// MountPoint is a directory mounted into a container.
type MountPoint struct {
	Type        string // "bind", "volume", "tmpfs"
	Name        string // of a volume
	Source      string
	Destination string
	RW          bool
}

func containerInspectArgs(container string) []string {
	return []string{"container", "inspect", "--format={{json .}}", "--", container}
}

// ContainerInspect returns a container by its name or id. Error: ErrNoSuchContainer.
func (c *Client) ContainerInspect(ctx context.Context, container string) (*Container, error) {
	return query(ctx, c, containerInspectArgs(container), parseContainer, "container", container)
}

// containerJSON holds the fields in use. Nearly all are the same in docker and podman.
type containerJSON struct {
	ID        string
	Name      string
	Created   time.Time
	Image     string
	ImageName string // podman
	State     State
	Mounts    []MountPoint
	Config    struct {
		Image  string
		User   string
		Labels labelSet
	}
	HostConfig struct {
		Memory         int64
		MemorySwap     int64
		NanoCPUs       int64
		PidsLimit      *int64
		ReadonlyRootfs bool
		Privileged     bool
		CapAdd         []string
		CapDrop        []string
		SecurityOpt    []string
		NetworkMode    string
		IPCMode        string
		PIDMode        string
		UsernsMode     string
		CgroupnsMode   string
		CgroupMode     string // podman
		Runtime        string
		RestartPolicy  struct{ Name string }
		LogConfig      struct{ Type string }
		Tmpfs          map[string]string
		PortBindings   map[string][]struct{ HostPort string }
	}
	OCIRuntime string // podman, whose HostConfig.Runtime is always "oci"
}

func parseContainer(text string) (*Container, error) {
	j, err := decodeOne[containerJSON](text)
	if err != nil {
		return nil, err
	}
	h := j.HostConfig
	v := &Container{
		ID: j.ID, Name: strings.TrimPrefix(j.Name, "/"), Image: cmp.Or(j.ImageName, j.Config.Image), ImageID: j.Image,
		Created: j.Created, Labels: j.Config.Labels, User: j.Config.User,
		Runtime: cmp.Or(j.OCIRuntime, h.Runtime), State: j.State, Mounts: j.Mounts,
		Limits: Limits{
			Memory: h.Memory, MemorySwap: h.MemorySwap, CPUs: float64(h.NanoCPUs) / 1e9,
		},
		Privileged: h.Privileged, ReadOnly: h.ReadonlyRootfs, CapAdd: h.CapAdd, CapDrop: h.CapDrop,
		SecurityOpt: h.SecurityOpt, NetworkMode: h.NetworkMode, IPCMode: h.IPCMode, PIDMode: h.PIDMode,
		UserNSMode: h.UsernsMode, CgroupNSMode: cmp.Or(h.CgroupnsMode, h.CgroupMode),
		Restart: h.RestartPolicy.Name, LogDriver: h.LogConfig.Type, Tmpfs: h.Tmpfs,
	}
	if h.PidsLimit != nil && *h.PidsLimit > 0 {
		v.Limits.Pids = *h.PidsLimit
	}
	for _, p := range h.PortBindings {
		v.PublishedPorts += len(p)
	}
	return v, nil
}
