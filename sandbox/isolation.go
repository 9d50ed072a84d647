package sandbox

import (
	"cmp"
	"fmt"
	"path"
)

// container is the container that a configuration asks for. What every one of them has
// is in the engine's adapter.
func (c *config) container(tag string, id identity, info EngineInfo) *Container {
	cpus := cmp.Or(c.CPUs, DefaultCPUs)
	if info.CPUs > 0 {
		// More than there are is an error to the engine.
		cpus = min(cpus, float64(info.CPUs))
	}
	spec := &Container{
		Name:    cmp.Or(c.Name, randomName()),
		Image:   tag,
		Args:    []string{"init"},
		Labels:  containerLabels(),
		User:    id.user,
		KeepID:  id.keepID,
		WorkDir: c.WorkDir,
		Mounts:  c.Mounts,
		Memory:  c.Memory,
		CPUs:    cpus,
		PIDs:    c.PIDs,
		Network: "none",
		Tmpfs:   make(map[string]string),
	}
	// tmpfs pages count against the memory limit; smaller sizes turn a full disk into
	// an error of the write instead of the death of a process.
	tmpfs := func(dir, flags string, mode int, size int64) {
		options := fmt.Sprintf("rw,%s,nosuid,nodev,size=%d,mode=%o", flags, size, mode)
		if id.uid >= 0 && mode&0o1000 == 0 {
			options += fmt.Sprintf(",uid=%d,gid=%d", id.uid, id.gid)
		}
		spec.Tmpfs[dir] = options
	}
	private := 0o700
	if id.uid < 0 {
		// Only the image knows the user's number, so whoever it is may write.
		private = 0o1777
	}
	tmpfs("/tmp", "exec", 0o1777, c.Memory/4)
	tmpfs(Home, "exec", private, c.Memory/2)
	tmpfs(c.WorkDir, "exec", private, c.Memory/2)
	tmpfs("/.drydock/run", "noexec", private|0o055, 1<<20)
	for _, m := range c.Mounts {
		delete(spec.Tmpfs, path.Clean(m.Target))
	}
	return spec
}
