package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
)

// The defaults of Options.
const (
	DefaultRuntime = "python-minimal"
	DefaultMemory  = 1 << 30 // bytes
	DefaultCPUs    = 2.0     // fewer where the engine has fewer
	DefaultPIDs    = 1024
)

// Home is the home directory of a sandbox's user.
const Home = "/home/sandbox"

// Options say what Open opens; nil is all defaults.
type Options struct {
	// Runtime is the name of a runtime of Catalog. Default: DefaultRuntime.
	Runtime string
	// Image is an image to use as it is, in place of Runtime.
	Image string
	// Snapshot is the name of what Sandbox.Snapshot saved, in place of Runtime. A work dir or a
	// home that a mount already has files for is left as it is.
	Snapshot string
	// Catalog has the runtimes and what stands in for their images. Default:
	// drydock.Default, which reads the files that DRYDOCK_RUNTIMES names.
	Catalog *drydock.Catalog
	// Engine runs the container. Default: the docker found in PATH.
	Engine Engine
	// Offline refuses what is not on the engine yet: nothing is pulled or built.
	Offline bool
	// Build says when images are pulled and built, and where packages come from.
	Build *BuildOptions
	// Progress is told how pulls and builds go on; it is called from one goroutine at a time,
	// and must return: the build waits for it, and so does the end of ctx.
	Progress func(Progress)

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
	// "1000:1000", beside User. Like all they have no capabilities.
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

	// Tmpfs are further file systems in memory, by path, of so many bytes each. They are the
	// sandbox's user's, and count against Memory.
	Tmpfs map[string]int64
	// Ulimits are resource limits of the processes by name, such as "nofile". Core files
	// are always off.
	Ulimits map[string]Ulimit
	// Network is "none", "bridge", or the name of a network that exists, such as one of
	// CreateNetwork. Default: "none",
	// which has a loopback interface and nothing else. The host's network and those of
	// other containers are refused.
	Network string
	// WritableRoot lets the sandbox's user write to the root file system, where the image
	// lets that user. What is written there is on the engine's disk, without a limit, and
	// ends with the sandbox. Default: read-only.
	WritableRoot bool
	// OCIRuntime is the engine's name of the runtime to use, such as "runsc". Default: the
	// engine's own default.
	OCIRuntime string

	// Lease is how long the sandbox waits for somebody to Attach after the process that
	// opened it, or attached to it, has gone without Close: give it a Name to be found
	// by. Background jobs go on meanwhile; commands whose result nobody can hear any more
	// are ended, as by their Timeout. Such a sandbox takes about 0.1 s longer to open.
	// Default: 0, it ends with the process.
	Lease time.Duration

	// StartTimeout bounds the start of the container, pulls and builds not counted.
	// Default: 1 minute.
	StartTimeout time.Duration
	// Logger is told of the life of the sandbox. Default: silent.
	Logger *slog.Logger
}

// Ulimit is a resource limit; -1 is unlimited.
type Ulimit struct{ Soft, Hard int64 }

// config is Options with every default filled in and every value checked.
type config struct {
	Options
	runtime    drydock.Runtime
	ready      string   // an image that has the guest, in place of runtime
	base       string   // the image that a snapshot of the sandbox is to be made on, if another
	newVolumes []string // mounted for writing, and not there yet
}

func (o *Options) resolve() (*config, error) {
	c := &config{}
	if o != nil {
		c.Options = *o
	}
	var err error
	if c.Catalog, err = orDefaultCatalog(c.Catalog); err != nil {
		return nil, err
	}
	switch {
	case c.Image != "" && c.Runtime != "" || c.Snapshot != "" && c.Image+c.Runtime != "":
		return nil, errors.New("more than one of Runtime, Image and Snapshot are set: give one of them")
	case c.Snapshot != "":
		_, err = snapshotRef(c.Snapshot)
	case c.Image != "":
		c.runtime, err = c.Catalog.Resolve(drydock.Runtime{Image: c.Image})
	default:
		c.runtime, err = c.Catalog.Runtime(cmp.Or(c.Runtime, DefaultRuntime))
	}
	if err != nil {
		return nil, err
	}
	c.WorkDir = cmp.Or(c.WorkDir, c.runtime.WorkDir)
	c.User = cmp.Or(c.User, c.runtime.User)
	c.Memory = cmp.Or(c.Memory, DefaultMemory)
	c.PIDs = cmp.Or(c.PIDs, DefaultPIDs)
	c.StartTimeout = cmp.Or(c.StartTimeout, time.Minute)
	build := BuildOptions{}
	if c.Build != nil {
		build = *c.Build
	}
	build.Timeout = cmp.Or(build.Timeout, DefaultBuildTimeout)
	c.Build = &build
	if err := build.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Engine = orDefault(c.Engine)
	if c.Name != "" && !simpleName.MatchString(c.Name) {
		return nil, fmt.Errorf("container name %q: write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128", c.Name)
	}
	for key, value := range c.Env {
		if err := checkEnv(key, value); err != nil {
			return nil, err
		}
	}
	if err := checkWorkDir(c.WorkDir); err != nil && (c.WorkDir != "" || c.Snapshot == "") {
		return nil, err
	}
	if err := checkUser(c.User); err != nil {
		return nil, err
	}
	// The least with which the guest and a shell run at all.
	const leastMemory, leastPIDs = 16 << 20, 16
	const mostMemory, mostPIDs = 1 << 50, 1 << 22
	switch {
	case c.Memory < leastMemory:
		return nil, fmt.Errorf("memory of %d bytes: give at least %d (16 MiB)", c.Memory, leastMemory)
	case c.PIDs < leastPIDs:
		return nil, fmt.Errorf("pids limit of %d: give at least %d", c.PIDs, leastPIDs)
	case c.CPUs < 0 || c.CPUs > 0 && c.CPUs < 0.01 || c.CPUs != c.CPUs:
		return nil, fmt.Errorf("cpus %v: give at least 0.01", c.CPUs)
	case c.Memory > mostMemory:
		return nil, fmt.Errorf("memory of %d bytes: no machine has that much", c.Memory)
	case c.PIDs > mostPIDs:
		return nil, fmt.Errorf("pids limit of %d: give at most %d, which is all that Linux has", c.PIDs, mostPIDs)
	case c.Lease != 0 && c.Lease < time.Second:
		return nil, fmt.Errorf("lease %v: give at least 1s", c.Lease)
	case c.StartTimeout < 0:
		return nil, fmt.Errorf("start timeout %v is negative", c.StartTimeout)
	}
	c.Mounts, c.Users = slices.Clone(c.Mounts), slices.Clone(c.Users)
	if err := c.checkLimits(); err != nil {
		return nil, err
	}
	for i := range c.Mounts {
		if err := c.Mounts[i].check(); err != nil {
			return nil, err
		}
		for _, other := range c.Mounts[:i] {
			if path.Clean(other.Target) == path.Clean(c.Mounts[i].Target) {
				return nil, fmt.Errorf("two mounts at %s", other.Target)
			}
		}
	}
	return c, nil
}

func orDefaultCatalog(c *drydock.Catalog) (*drydock.Catalog, error) {
	if c == nil {
		return drydock.Default()
	}
	return c, nil
}

var (
	simpleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	ulimitName = regexp.MustCompile(`^[a-z]{2,16}$`)
)

// checkLimits checks the options that are rarely given.
func (c *config) checkLimits() error {
	for target, size := range c.Tmpfs {
		m := Mount{Target: target}
		if err := m.checkTarget("tmpfs"); err != nil {
			return err
		}
		if size < 4096 {
			return fmt.Errorf("tmpfs %s of %d bytes: give at least 4096", target, size)
		}
		if slices.ContainsFunc(c.Mounts, func(m Mount) bool { return m.Target == target }) {
			return fmt.Errorf("both a mount and a tmpfs at %s", target)
		}
	}
	for name, u := range c.Ulimits {
		if err := checkUlimit(name, u); err != nil {
			return err
		}
	}
	for _, user := range c.Users {
		if err := checkUser(user); err != nil || user == "" {
			return cmp.Or(err, errors.New("an empty name in Users"))
		}
	}
	c.Network = cmp.Or(c.Network, "none")
	if c.Network == "host" || strings.HasPrefix(c.Network, "container:") {
		return fmt.Errorf("network %q is refused: the sandbox would see what listens there; write none, bridge or a network's name", c.Network)
	}
	if !simpleName.MatchString(c.Network) {
		return fmt.Errorf("network %q: write none, bridge or a network's name", c.Network)
	}
	if c.OCIRuntime != "" && !simpleName.MatchString(c.OCIRuntime) {
		return fmt.Errorf("OCI runtime %q: write the engine's name of it, such as runsc", c.OCIRuntime)
	}
	return nil
}

func checkUlimit(name string, u Ulimit) error {
	switch {
	case !ulimitName.MatchString(name):
		return fmt.Errorf("ulimit %q: write a name such as nofile", name)
	case name == "core":
		return errors.New("ulimit core: core files are always off")
	case name == "locks":
		return errors.New("ulimit locks: it marks the processes of a command, and limits nothing")
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

// reserved are directories that cannot be a work dir or the target of a mount, nor hold one.
var reserved = []string{"/proc", "/sys", "/dev", "/etc", "/.drydock", "/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/boot"}

func checkWorkDir(dir string) error {
	if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" || strings.ContainsAny(dir, ":,\x00\r\n") {
		return fmt.Errorf("work dir %q: write an absolute path without '..', ':' or ',', and not /", dir)
	}
	if r := within(dir, reserved); r != "" {
		return fmt.Errorf("work dir %q is in %s, which belongs to the system: write another, such as /workspace", dir, r)
	}
	return nil
}

// within returns which of dirs is dir or holds it, or "".
func within(dir string, dirs []string) string {
	for _, d := range dirs {
		if dir == d || strings.HasPrefix(dir, strings.TrimSuffix(d, "/")+"/") {
			return d
		}
	}
	return ""
}

var userPattern = regexp.MustCompile(`^([0-9]{1,10}|[a-z_][a-z0-9_-]{0,31})(:([0-9]{1,10}|[a-z_][a-z0-9_-]{0,31}))?$`)

func checkUser(user string) error {
	if user != "" && !userPattern.MatchString(user) {
		return fmt.Errorf("user %q: write uid, uid:gid or a user name", user)
	}
	return nil
}
