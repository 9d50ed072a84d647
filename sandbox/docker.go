package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drydock-go/drydock/dockercli"
)

// Docker returns the Engine behind a docker, podman or nerdctl command line.
func Docker(c *dockercli.Client) Engine { return &cliEngine{c: c} }

// defaultEngine is one for the whole process, so that its probe is made once.
var defaultEngine = Docker(&dockercli.Client{})

func orDefault(engine Engine) Engine {
	if engine == nil {
		return defaultEngine
	}
	return engine
}

type cliEngine struct{ c *dockercli.Client }

func (e *cliEngine) Info(ctx context.Context) (EngineInfo, error) {
	info, err := e.c.Info(ctx)
	if err != nil {
		return EngineInfo{}, err
	}
	if info.OS != "linux" {
		return EngineInfo{}, fmt.Errorf("the engine runs %s containers; sandboxes need linux", info.OS)
	}
	return EngineInfo{
		Name: string(info.Engine), Version: info.ServerVersion, Arch: info.Arch,
		CPUs: info.CPUs, Rootless: info.Rootless,
		CacheMounts: info.Builder == dockercli.BuildKit || info.Builder == dockercli.PodmanBuild,
	}, nil
}

func (e *cliEngine) Start(ctx context.Context, c *Container) (Conn, error) {
	info, err := e.c.Info(ctx)
	if err != nil {
		return nil, err
	}
	p, err := e.c.Start(ctx, c.Image, c.Args, runOptions(c, info.Engine))
	if err != nil {
		return nil, err
	}
	return &cliConn{p}, nil
}

func (e *cliEngine) StartDetached(ctx context.Context, c *Container) error {
	info, err := e.c.Info(ctx)
	if err != nil {
		return err
	}
	o := runOptions(c, info.Engine)
	o.Detach = true
	r, err := e.c.Run(ctx, c.Image, c.Args, o)
	if err == nil && r.ExitCode != 0 {
		// Nothing of the container's own can be in the output of a detached run.
		err = r.EngineError()
	}
	return noImage(c.Image, err)
}

func (e *cliEngine) Connect(ctx context.Context, name, user string) (Conn, error) {
	info, err := e.c.Info(ctx)
	if err != nil {
		return nil, err
	}
	o := &dockercli.ExecOptions{User: user}
	args := []string{connectPath, "connect"}
	if user != "" {
		args = []string{guestPath, "user"}
	}
	if info.Engine == dockercli.Podman {
		o.DetachKeys = new(string) // as for run
	}
	p, err := e.c.StartExec(ctx, name, args, o)
	if err != nil {
		return nil, err
	}
	return &cliConn{p}, nil
}

func (e *cliEngine) List(ctx context.Context, label, value string) ([]Listed, error) {
	labels := map[string]string{label: value}
	if label == "" {
		labels = nil
	}
	all, err := e.c.ContainerList(ctx, labels)
	if err != nil {
		return nil, err
	}
	out := make([]Listed, len(all))
	for i, c := range all {
		out[i] = Listed{ID: c.ID, Name: c.Name, Image: c.Image, ImageID: c.ImageID, State: c.State, Labels: c.Labels}
	}
	return out, nil
}

// runOptions adds to a container what all of them have: see the package documentation.
func runOptions(c *Container, engine dockercli.Engine) *dockercli.RunOptions {
	o := &dockercli.RunOptions{
		Name:       c.Name,
		Labels:     c.Labels,
		Pull:       dockercli.PullNever, // what is missing is built or pulled by us, or refused
		Entrypoint: guestPath,
		User:       c.User,
		WorkDir:    c.WorkDir,
		Hostname:   "sandbox",
		// The guest spares itself every signal, so a person's "docker stop" would wait ten
		// seconds to end with this one.
		StopSignal: "KILL",
		// The guest is PID 1 even where the engine is set to put an init before it.
		NoInit:        true,
		Remove:        true,
		Network:       c.Network,
		Tmpfs:         make(map[string]string),
		ReadOnly:      !c.WritableRoot,
		CapDrop:       []string{"ALL"},
		SecurityOpt:   []string{"no-new-privileges"},
		IPC:           "private",
		CgroupNS:      "private",
		Memory:        c.Memory,
		MemorySwap:    c.Memory, // memory and swap together: no swap
		CPUs:          c.CPUs,
		PidsLimit:     c.PIDs,
		Ulimits:       map[string]dockercli.Ulimit{"core": {}},
		Runtime:       c.Runtime,
		Restart:       "no",
		LogDriver:     "none", // each byte of the channel would be written to the log
		NoHealthcheck: true,   // it would be run by exec, beside the guest
	}
	for name, u := range c.Ulimits {
		o.Ulimits[name] = dockercli.Ulimit(u)
	}
	for _, m := range c.Mounts {
		kind := dockercli.MountBind
		if m.volume() {
			kind = dockercli.MountVolume
		}
		o.Mounts = append(o.Mounts, dockercli.Mount{Type: kind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, t := range c.Tmpfs {
		if m, ok := t.podmanMount(); ok && engine == dockercli.Podman {
			o.Mounts = append(o.Mounts, m)
		} else {
			o.Tmpfs[t.Target] = t.options()
		}
	}
	if c.KeepID {
		o.UserNS = "keep-id"
	}
	if engine == dockercli.Podman {
		// It looks for the key sequence even where there is no terminal, and two bytes of
		// the channel would detach from the container.
		o.DetachKeys = new(string)
		// It would mount account files of its own over those that the guest writes.
		o.NoPasswd = true
		// One limit given replaces all of its configuration's, and it would then try to
		// raise these two, which not every host permits.
		for name, u := range inheritedLimits() {
			if _, given := c.Ulimits[name]; !given {
				o.Ulimits[name] = u
			}
		}
	}
	return o
}

// options are those of --tmpfs.
func (t Tmpfs) options() string {
	exec, owner := "exec", "mode=1777"
	if t.NoExec {
		exec = "noexec"
	}
	if t.Private {
		owner = fmt.Sprintf("mode=700,uid=%d,gid=%d", t.UID, t.GID)
	}
	return fmt.Sprintf("rw,%s,nosuid,nodev,size=%d,%s", exec, t.Size, owner)
}

// podmanMount is what podman needs for an owner: its --tmpfs knows no uid. There it has
// no noexec.
func (t Tmpfs) podmanMount() (dockercli.Mount, bool) {
	return dockercli.Mount{Type: dockercli.MountTmpfs, Target: t.Target, Size: t.Size, Mode: 0o700, Own: true, Empty: true}, t.Private
}

func (e *cliEngine) Remove(ctx context.Context, name string) error {
	err := e.c.ContainerRemove(ctx, name)
	if errors.Is(err, dockercli.ErrNoSuchContainer) {
		return nil
	}
	return err
}

func (e *cliEngine) VolumeLabels(ctx context.Context, name string) (map[string]string, error) {
	v, err := e.c.VolumeInspect(ctx, name)
	if errors.Is(err, dockercli.ErrNoSuchVolume) {
		return nil, fmt.Errorf("%w: %s", ErrNoVolume, name)
	}
	if err != nil {
		return nil, err
	}
	return v.Labels, nil
}

func (e *cliEngine) CreateVolume(ctx context.Context, name string, labels map[string]string, image string, uid, gid int) error {
	info, err := e.c.Info(ctx)
	if err != nil {
		return err
	}
	// The one container that is not like the others: root with the one capability that
	// giving a directory away takes, for the time of one system call.
	o := runOptions(&Container{Image: image, User: "0:0", Network: "none", Memory: 64 << 20, PIDs: 64,
		Mounts: []Mount{{Source: name, Target: "/volume"}}}, info.Engine)
	o.CapAdd = []string{"CHOWN"}
	if err := e.c.VolumeCreate(ctx, name, &dockercli.VolumeOptions{Labels: labels}); err != nil {
		return err
	}
	r, err := e.c.Run(ctx, image, []string{"own", strconv.Itoa(uid), strconv.Itoa(gid), "/volume"}, o)
	if err == nil && r.ExitCode != 0 {
		if err = r.EngineError(); err == nil {
			err = fmt.Errorf("volume %s: %s", name, printable(string(r.Stderr)))
		}
	}
	if err != nil {
		// Half made it would be taken for a whole one the next time.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return noImage(image, errors.Join(err, e.c.VolumeRemove(clean, name)))
	}
	return nil
}

func (e *cliEngine) Pause(ctx context.Context, name string) error { return e.c.Pause(ctx, name) }

func (e *cliEngine) Unpause(ctx context.Context, name string) error { return e.c.Unpause(ctx, name) }

func (e *cliEngine) CreateNetwork(ctx context.Context, name string, labels map[string]string) error {
	return e.c.NetworkCreate(ctx, name, &dockercli.NetworkOptions{Labels: labels, Internal: true})
}

func (e *cliEngine) Networks(ctx context.Context, label, value string) ([]Listed, error) {
	all, err := e.c.NetworkList(ctx, map[string]string{label: value})
	if err != nil {
		return nil, err
	}
	out := make([]Listed, len(all))
	for i, n := range all {
		out[i] = Listed{ID: n.ID, Name: n.Name, Labels: n.Labels}
	}
	return out, nil
}

func (e *cliEngine) RemoveNetwork(ctx context.Context, name string) (gone bool, err error) {
	err = e.c.NetworkRemove(ctx, name)
	switch {
	case errors.Is(err, dockercli.ErrInUse):
		return false, nil
	case errors.Is(err, dockercli.ErrNoSuchNetwork):
		return true, nil
	}
	return err == nil, err
}

func (e *cliEngine) Image(ctx context.Context, ref string) (ImageInfo, error) {
	d, err := e.c.ImageInspect(ctx, ref)
	if err != nil {
		return ImageInfo{}, noImage(ref, err)
	}
	return imageInfo(d), nil
}

func imageInfo(d *dockercli.Image) ImageInfo {
	return ImageInfo{
		ID: d.ID, Digests: d.Digests, Created: d.Created, Size: d.Size, Labels: d.Labels,
		Entrypoint: d.Entrypoint, Cmd: d.Cmd, WorkDir: d.WorkDir, User: d.User,
		Ports: d.Ports, Health: d.Health.Test, HealthTimeout: d.Health.Timeout,
	}
}

func (e *cliEngine) Images(ctx context.Context, label, value string) ([]ListedImage, error) {
	all, err := e.c.ImageList(ctx, map[string]string{label: value})
	if err != nil {
		return nil, err
	}
	// A list tells neither labels nor exact sizes, and an inspection not which names are
	// those that the list is of.
	var ids []string
	for _, image := range all {
		ids = append(ids, image.ID)
	}
	details, err := e.c.ImageInspectAll(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return nil, err
	}
	infos := make(map[string]ImageInfo)
	for _, d := range details {
		infos[d.ID] = imageInfo(&d)
	}
	var out []ListedImage
	for _, image := range all {
		if info, ok := infos[image.ID]; ok { // else removed meanwhile
			out = append(out, ListedImage{image.Ref, info})
		}
	}
	return out, nil
}

func (e *cliEngine) RemoveImage(ctx context.Context, ref string) error {
	err := e.c.ImageRemove(ctx, ref)
	switch {
	case errors.Is(err, dockercli.ErrNoSuchImage):
		return nil
	case errors.Is(err, dockercli.ErrInUse):
		// podman goes on to what the image was built on, which may be what is in use.
		if _, gone := e.c.ImageInspect(ctx, ref); errors.Is(gone, dockercli.ErrNoSuchImage) {
			return nil
		}
		return fmt.Errorf("%w: %s: %w", ErrInUse, ref, err)
	}
	return err
}

func (e *cliEngine) SaveImages(ctx context.Context, w io.Writer, refs ...string) error {
	return noImage(strings.Join(refs, ", "), e.c.Save(ctx, w, refs...))
}

func (e *cliEngine) LoadImages(ctx context.Context, r io.Reader) ([]string, error) {
	return e.c.Load(ctx, r)
}

func (e *cliEngine) Commit(ctx context.Context, name, tag string) error {
	return e.c.Commit(ctx, name, tag)
}

func (e *cliEngine) Pull(ctx context.Context, ref string, progress io.Writer) error {
	return noImage(ref, e.c.Pull(ctx, ref, &dockercli.PullOptions{Output: progress}))
}

func (e *cliEngine) Build(ctx context.Context, b *Build) error {
	err := e.c.Build(ctx, b.Context, &dockercli.BuildOptions{Tags: []string{b.Tag}, BuildArgs: b.Args, Output: b.Progress, NoCache: b.NoCache})
	if e := (*dockercli.Error)(nil); errors.As(err, &e) && b.Hide != nil {
		e.Stderr = b.Hide(e.Stderr)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	// An engine that ends in the middle of a build leaves no words of its own.
	if gone := e.c.Ping(ctx); errors.Is(gone, dockercli.ErrUnreachable) {
		err = fmt.Errorf("%w: %w", ErrEngine, err)
	}
	return err
}

func (e *cliEngine) Reserve(ctx context.Context, name, image string, labels map[string]string) (bool, error) {
	err := e.c.ContainerCreate(ctx, image, name, labels, "never") // some images have no command
	if errors.Is(err, dockercli.ErrNameInUse) {
		return false, nil
	}
	return err == nil, noImage(image, err)
}

// noImage adds ErrNoImage to what the command line said of an image.
func noImage(ref string, err error) error {
	if errors.Is(err, dockercli.ErrNoSuchImage) {
		return fmt.Errorf("%w: %s: %w", ErrNoImage, ref, err)
	}
	return err
}

// cliConn is the process of docker run.
type cliConn struct{ p *dockercli.Process }

func (c *cliConn) Stdin() io.WriteCloser { return c.p.Stdin }
func (c *cliConn) Stdout() *os.File      { return c.p.Stdout }
func (c *cliConn) Done() <-chan struct{} { return c.p.Done() }
func (c *cliConn) Close()                { _ = c.p.Close() }

func (c *cliConn) Wait() error {
	err := c.p.Wait(context.Background())
	for from, to := range map[error]error{
		dockercli.ErrNoSuchImage: ErrNoImage,
		dockercli.ErrNoSuchUser:  ErrUser,
		dockercli.ErrUnreachable: ErrEngine,
	} {
		if errors.Is(err, from) {
			return fmt.Errorf("%w: %w", to, err)
		}
	}
	return err
}
