package dockercli

import (
	"cmp"
	"context"
	"time"
)

// Container is what Inspect tells: what the engine applied, not what was asked for.
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

// State is a container's state.
type State struct {
	Status     string // "created", "running", "paused", "exited", ...
	ExitCode   int    // meaningful once exited
	OOMKilled  bool
	PID        int    // on the engine's host; 0 if it does not run
	Error      string // why it could not start
	StartedAt  time.Time
	FinishedAt time.Time
}

// Limits are a container's limits; 0 is none.
type Limits struct {
	Memory     int64 // bytes
	MemorySwap int64 // bytes of memory and swap together; -1 is unlimited
	CPUs       float64
	Pids       int64
	ShmSize    int64 // bytes
}

// MountPoint is a directory mounted into a container.
type MountPoint struct {
	Type        string // "bind", "volume", "tmpfs"
	Name        string // of a volume
	Source      string
	Destination string
	RW          bool
}

func inspectArgs(container string) []string {
	return []string{"container", "inspect", "--format={{json .}}", "--", container}
}

// Inspect returns a container by name or id, or ErrNoSuchContainer.
func (c *Client) Inspect(ctx context.Context, container string) (*Container, error) {
	argv := inspectArgs(container)
	if err := c.check(argv, "container", container); err != nil {
		return nil, err
	}
	out, err := c.output(ctx, argv)
	if err != nil {
		return nil, err
	}
	v, err := parseContainer(out)
	if err != nil {
		return nil, c.failure(argv, 0, "", err)
	}
	return v, nil
}

// containerJSON holds the fields used; docker and podman share nearly all.
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
		ShmSize        int64
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
		ID: j.ID, Name: trimSlash(j.Name), Image: cmp.Or(j.ImageName, j.Config.Image), ImageID: j.Image,
		Created: j.Created, Labels: j.Config.Labels, User: j.Config.User,
		Runtime: cmp.Or(j.OCIRuntime, h.Runtime), State: j.State, Mounts: j.Mounts,
		Limits: Limits{
			Memory: h.Memory, MemorySwap: h.MemorySwap, CPUs: float64(h.NanoCPUs) / 1e9, ShmSize: h.ShmSize,
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

// trimSlash takes off what docker puts before a container's name.
func trimSlash(s string) string {
	if len(s) > 0 && s[0] == '/' {
		return s[1:]
	}
	return s
}
