package dockercli

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Engine is the family of a CLI. Its name does not tell: podman may be installed as docker.
type Engine string

// The families.
const (
	Docker  Engine = "docker"
	Podman  Engine = "podman"
	Nerdctl Engine = "nerdctl"
)

// Builder is the program that builds images.
type Builder string

// The builders. Nerdctl always uses BuildKit.
const (
	BuildKit    Builder = "buildkit"
	Legacy      Builder = "legacy" // docker without the buildx component, or DOCKER_BUILDKIT=0
	PodmanBuild Builder = "podman"
)

// Info is what an engine says about itself.
type Info struct {
	Engine          Engine
	ClientVersion   string // empty if the CLI does not tell (docker before 23)
	ServerVersion   string
	OS              string // of the containers: "linux" or "windows"
	Arch            string // as GOARCH: "amd64", "arm64"
	CPUs            int
	Memory          int64 // bytes
	CgroupVersion   int   // 1 or 2; 0 if unknown
	Rootless        bool
	Builder         Builder
	Runtimes        []string // OCI runtimes, sorted
	Seccomp         bool     // a seccomp profile is applied by default
	SecurityOptions []string // as docker writes them, such as "name=apparmor"
}

func infoArgs() []string { return []string{"info", "--format={{json .}}"} }

// probe is a question for Info that is under way.
type probe struct {
	done      chan struct{}
	info      Info
	err       error
	abandoned bool // the caller that ran it went away, so err says nothing about the engine
}

// Info asks the engine what it is. An answer is kept for the life of the Client, an error is not.
// Concurrent callers share one process. Errors: ErrNotInstalled, ErrUnreachable, ErrPermission,
// ErrOutput.
func (c *Client) Info(ctx context.Context) (Info, error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return Info{}, c.failure(infoArgs(), -1, "", err)
		}
		c.mu.Lock()
		if c.info != nil {
			defer c.mu.Unlock()
			return c.info.clone(), nil
		}
		p := c.probing
		if p == nil {
			p = &probe{done: make(chan struct{})}
			c.probing = p
			c.mu.Unlock()
			return c.lead(ctx, p)
		}
		c.mu.Unlock()
		select {
		case <-p.done:
			if !p.abandoned {
				return p.info.clone(), p.err
			}
		case <-ctx.Done():
		}
	}
}

// lead runs the probe for everyone who waits for it.
func (c *Client) lead(ctx context.Context, p *probe) (Info, error) {
	p.info, p.err = c.probe(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.err == nil {
		kept := p.info.clone()
		c.info = &kept
	}
	p.abandoned = p.err != nil && ctx.Err() != nil
	c.probing = nil
	close(p.done)
	return p.info.clone(), p.err
}

// probe asks the engine.
func (c *Client) probe(ctx context.Context) (Info, error) {
	argv := infoArgs()
	r, err := c.do(ctx, call{argv: argv})
	if err != nil {
		return Info{}, err
	}
	// If docker does not reach its engine, it exits 0 or 1, depending on its version, and
	// gives the reason on stderr or in ServerErrors.
	if r.ExitCode != 0 {
		if text := strings.TrimSpace(string(r.Stderr)); text != "" {
			return Info{}, c.exitError(argv, r)
		}
	}
	info, serverErrors, err := parseInfo(string(r.Stdout), filepath.Base(c.path()))
	switch {
	case len(serverErrors) > 0:
		return Info{}, c.failure(argv, r.ExitCode, strings.Join(serverErrors, "\n"), nil)
	case r.ExitCode != 0:
		return Info{}, c.exitError(argv, r)
	case err != nil:
		return Info{}, c.failure(argv, 0, "", err)
	case info.ServerVersion == "":
		return Info{}, c.failure(argv, 0, string(r.Stderr), ErrUnreachable)
	}
	if info.Builder == "" {
		info.Builder = dockerBuilder(info.ClientVersion, c.buildKitVariable(), hasBuildx(string(r.Stdout)))
	}
	return info, nil
}

// buildKitVariable returns DOCKER_BUILDKIT as the CLI will see it.
func (c *Client) buildKitVariable() string {
	for _, kv := range slices.Backward(c.Env) {
		if v, ok := strings.CutPrefix(kv, "DOCKER_BUILDKIT="); ok {
			return v
		}
	}
	return os.Getenv("DOCKER_BUILDKIT")
}

// dockerBuilder returns the builder of "docker build". From docker 23 on it is BuildKit if the
// buildx component is installed. Before, BuildKit was part of the CLI and had to be asked for.
func dockerBuilder(clientVersion, variable string, buildx bool) Builder {
	wanted, err := strconv.ParseBool(variable)
	major, _ := strconv.Atoi(strings.SplitN(clientVersion, ".", 2)[0])
	switch {
	case err == nil && !wanted:
		return Legacy
	case buildx && major >= 23, wanted && major < 23:
		return BuildKit
	}
	return Legacy
}

// infoJSON holds the fields of docker info and, under "host", those of podman info.
type infoJSON struct {
	ServerVersion   string
	OSType          string
	Architecture    string
	NCPU            int
	MemTotal        int64
	CgroupVersion   string
	Runtimes        map[string]any
	SecurityOptions []string
	ServerErrors    []string
	ClientInfo      *struct {
		Version string
		Plugins []struct{ Name string }
	}

	Host *struct {
		Arch          string
		OS            string
		CPUs          int
		MemTotal      int64
		CgroupVersion string
		OCIRuntime    struct{ Name string }
		Security      struct {
			Rootless        bool
			SeccompEnabled  bool
			AppArmorEnabled bool
			SELinuxEnabled  bool
		}
	} `json:"host"`
	Version struct{ Version string }
}

// parseInfo reads the output of the info command; name is the file name of the CLI. It leaves
// Builder empty for docker.
func parseInfo(text, name string) (info Info, serverErrors []string, err error) {
	j, err := decode[infoJSON](text)
	if err != nil {
		return Info{}, nil, err
	}
	if h := j.Host; h != nil {
		info = Info{
			Engine: Podman, ClientVersion: j.Version.Version, ServerVersion: j.Version.Version,
			OS: h.OS, Arch: goArch(h.Arch), CPUs: h.CPUs, Memory: h.MemTotal,
			CgroupVersion: cgroupVersion(h.CgroupVersion), Rootless: h.Security.Rootless,
			Builder: PodmanBuild, Seccomp: h.Security.SeccompEnabled,
		}
		if h.OCIRuntime.Name != "" {
			info.Runtimes = []string{h.OCIRuntime.Name}
		}
		for _, o := range []struct {
			on   bool
			name string
		}{
			{h.Security.AppArmorEnabled, "name=apparmor"}, {h.Security.Rootless, "name=rootless"},
			{h.Security.SeccompEnabled, "name=seccomp"}, {h.Security.SELinuxEnabled, "name=selinux"},
		} {
			if o.on {
				info.SecurityOptions = append(info.SecurityOptions, o.name)
			}
		}
		return info, nil, nil
	}
	info = Info{
		Engine: Docker, ServerVersion: j.ServerVersion, OS: j.OSType, Arch: goArch(j.Architecture),
		CPUs: j.NCPU, Memory: j.MemTotal, CgroupVersion: cgroupVersion(j.CgroupVersion),
		Runtimes: slices.Sorted(maps.Keys(j.Runtimes)), SecurityOptions: j.SecurityOptions,
	}
	if j.ClientInfo != nil {
		info.ClientVersion = j.ClientInfo.Version
	} else if strings.Contains(name, "nerdctl") {
		info.Engine, info.Builder = Nerdctl, BuildKit
	}
	for _, o := range j.SecurityOptions {
		switch o, profile, _ := strings.Cut(o, ","); o {
		case "name=seccomp":
			info.Seccomp = profile != "profile=unconfined"
		case "name=rootless":
			info.Rootless = true
		}
	}
	return info, j.ServerErrors, nil
}

// hasBuildx reports whether the output of docker info names the buildx component.
func hasBuildx(text string) bool {
	j, err := decode[infoJSON](text)
	return err == nil && j.ClientInfo != nil &&
		slices.ContainsFunc(j.ClientInfo.Plugins, func(p struct{ Name string }) bool { return p.Name == "buildx" })
}

func (i Info) clone() Info {
	i.Runtimes = slices.Clone(i.Runtimes)
	i.SecurityOptions = slices.Clone(i.SecurityOptions)
	return i
}

// cgroupVersion reads docker's "1" and podman's "v2".
func cgroupVersion(s string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "v"))
	if err != nil {
		return 0
	}
	return n
}

// goArch returns Go's name of a machine that the kernel names.
func goArch(s string) string {
	switch s {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "i386", "i686":
		return "386"
	case "armv6l", "armv7l":
		return "arm"
	}
	return s
}
