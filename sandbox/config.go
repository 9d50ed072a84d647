package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// config is Options with every default filled in and every value checked. It never changes:
// what Open finds out later is passed on beside it.
type config struct {
	Options
	resolved drydock.Runtime // the runtime that Runtime or Image names; zero for a Snapshot
}

// resolve fills in the defaults and checks the values.
func (o *Options) resolve() (*config, error) {
	c := &config{Options: orZero(o)}
	// The caller's own may change.
	c.Users = slices.Clone(c.Users)
	c.Env, c.Tmpfs, c.Ulimits = maps.Clone(c.Env), maps.Clone(c.Tmpfs), maps.Clone(c.Ulimits)
	images := orZero(c.Images)
	images.Engine = cmp.Or(c.Engine, images.Engine)
	var err error
	if c.Images, err = images.Resolve(); err != nil {
		return nil, err
	}
	c.Engine = c.Images.Engine
	c.Logger = cmp.Or(c.Logger, c.Images.Logger)
	if err := c.resolveSource(); err != nil {
		return nil, err
	}
	c.Memory = cmp.Or(c.Memory, DefaultMemory)
	c.PIDs = cmp.Or(c.PIDs, DefaultPIDs)
	c.StartTimeout = cmp.Or(c.StartTimeout, time.Minute)
	c.Network = cmp.Or(c.Network, "none")
	if err := cmp.Or(c.checkNames(), c.checkBounds(), c.checkIdentity()); err != nil {
		return nil, err
	}
	return c, c.resolveMounts()
}

// withSnapshot returns the configuration with a snapshot's values for options that the
// caller did not set.
func (c *config) withSnapshot(s *SnapshotInfo) (*config, error) {
	full := *c
	full.WorkDir = cmp.Or(c.WorkDir, s.WorkDir)
	full.User = cmp.Or(c.User, s.labels[engine.LabelUser])
	full.WritableRoot = c.WritableRoot || s.labels[engine.LabelWritable] != ""
	return &full, full.checkIdentity()
}

// resolveSource finds the runtime, and takes the defaults of the work dir and the user from
// it.
func (c *config) resolveSource() (err error) {
	switch {
	case c.Image != "" && c.Runtime != "" || c.Snapshot != "" && c.Image+c.Runtime != "":
		return errors.New("more than one of Runtime, Image and Snapshot are set: give one of them")
	case c.Snapshot != "":
		_, err = snapshotRef(c.Snapshot)
	case c.Image != "":
		c.resolved, err = c.Images.Catalog.Resolve(drydock.Runtime{Image: c.Image})
	default:
		c.resolved, err = c.Images.Catalog.Runtime(cmp.Or(c.Runtime, DefaultRuntime))
	}
	c.WorkDir = cmp.Or(c.WorkDir, c.resolved.WorkDir)
	c.User = cmp.Or(c.User, c.resolved.User)
	return err
}

// checkNames checks the names that go to the engine, and the environment.
func (c *config) checkNames() error {
	switch {
	case c.Name != "" && !simpleName.MatchString(c.Name):
		return fmt.Errorf("container name %q: write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128", c.Name)
	case c.Network == "host" || strings.HasPrefix(c.Network, "container:"):
		return fmt.Errorf("network %q is refused: the sandbox would reach servers that listen there; write none, bridge or a network's name", c.Network)
	case !simpleName.MatchString(c.Network):
		return fmt.Errorf("network %q: write none, bridge or a network's name", c.Network)
	case c.OCIRuntime != "" && !simpleName.MatchString(c.OCIRuntime):
		return fmt.Errorf("OCI runtime %q: write the engine's name for it, such as runsc", c.OCIRuntime)
	}
	for key, value := range c.Env {
		if err := checkEnv(key, value); err != nil {
			return err
		}
	}
	return nil
}

// checkBounds checks sizes, counts and times.
func (c *config) checkBounds() error {
	// A guest and a shell do not run with less.
	const minMemory, minPIDs = 16 << 20, 16
	const maxMemory, maxPIDs = 1 << 50, 1 << 22
	switch {
	case c.Memory < minMemory:
		return fmt.Errorf("memory of %d bytes: give at least %d (16 MiB)", c.Memory, minMemory)
	case c.PIDs < minPIDs:
		return fmt.Errorf("pids limit of %d: give at least %d", c.PIDs, minPIDs)
	case c.CPUs < 0 || c.CPUs > 0 && c.CPUs < 0.01 || c.CPUs != c.CPUs:
		return fmt.Errorf("cpus %v: give at least 0.01", c.CPUs)
	case c.Memory > maxMemory:
		return fmt.Errorf("memory of %d bytes: give at most %d (1 PiB)", c.Memory, maxMemory)
	case c.PIDs > maxPIDs:
		return fmt.Errorf("pids limit of %d: give at most %d, which is all that Linux has", c.PIDs, maxPIDs)
	case c.Lease != 0 && c.Lease < time.Second:
		return fmt.Errorf("lease %v: give at least 1s", c.Lease)
	case c.StartTimeout < 0:
		return fmt.Errorf("start timeout %v is negative", c.StartTimeout)
	}
	for name, u := range c.Ulimits {
		if err := checkUlimit(name, u); err != nil {
			return err
		}
	}
	return nil
}

// checkIdentity checks the work dir and the users by the rules of drydock.Runtime.Validate.
// With a Snapshot the work dir may still be empty.
func (c *config) checkIdentity() error {
	r := c.resolved
	if c.Snapshot != "" {
		r = drydock.Runtime{Image: "snapshot"}
	}
	r.Name, r.WorkDir, r.User = "", c.WorkDir, c.User
	if err := r.Validate(); err != nil {
		return err
	}
	for _, user := range c.Users {
		if err := drydock.CheckUser(user); err != nil {
			return fmt.Errorf("users: %w", err)
		}
	}
	return nil
}

// resolveMounts checks the mounts and tmpfs mounts, and follows the symlinks of the sources.
func (c *config) resolveMounts() error {
	mounts := make([]Mount, len(c.Mounts))
	for i, m := range c.Mounts {
		real, err := resolveMount(m)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(mounts[:i], func(other Mount) bool { return other.Target == m.Target }) {
			return fmt.Errorf("two mounts at %s", m.Target)
		}
		mounts[i] = real
	}
	c.Mounts = mounts
	for target, size := range c.Tmpfs {
		if err := checkTarget("tmpfs", target); err != nil {
			return err
		}
		if size < 4096 {
			return fmt.Errorf("tmpfs %s of %d bytes: give at least 4096", target, size)
		}
		if slices.ContainsFunc(mounts, func(m Mount) bool { return m.Target == target }) {
			return fmt.Errorf("both a mount and a tmpfs at %s", target)
		}
	}
	return nil
}

var (
	simpleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	ulimitName = regexp.MustCompile(`^[a-z]{2,16}$`)
)

func checkUlimit(name string, u engine.Ulimit) error {
	switch {
	case !ulimitName.MatchString(name):
		return fmt.Errorf("ulimit %q: write a name such as nofile", name)
	case name == "core":
		return errors.New("ulimit core: core files are always off")
	case name == "locks":
		return errors.New("ulimit locks: it is not available, because it marks the processes of a command")
	case u.Soft < -1 || u.Hard < -1 || u.Hard >= 0 && (u.Soft > u.Hard || u.Soft == -1):
		return fmt.Errorf("ulimit %s of %d:%d: soft must not exceed hard, -1 is unlimited", name, u.Soft, u.Hard)
	}
	return nil
}

func checkEnv(key, value string) error {
	if key == "" || strings.ContainsAny(key, "=\x00") || strings.Contains(value, "\x00") {
		return fmt.Errorf("environment variable %q: a name has no '=', and neither name nor value a NUL byte", key)
	}
	return nil
}

// orZero returns the options, or all defaults if there are none.
func orZero[T any](opts *T) T {
	if opts == nil {
		return *new(T)
	}
	return *opts
}
