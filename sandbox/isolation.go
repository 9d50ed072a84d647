package sandbox

import (
	"cmp"
	"maps"
	"path"
	"slices"
)

// guestPIDs is the room above Options.PIDs for the guest: half for the threads that it
// has, half for starting commands while others have used up theirs.
const guestPIDs = 32

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
		PIDs:    c.PIDs + guestPIDs,
		Network: c.Network,
		Ulimits: c.Ulimits,
		Runtime: c.OCIRuntime,

		WritableRoot: c.WritableRoot,
	}
	if id.own {
		// Nobody else on the host has that uid, so its quota is the sandbox's: jobs get no more
		// than PIDs of it, with what the guest has.
		spec.Procs = c.PIDs + guestPIDs/2
	}
	if c.Lease > 0 {
		spec.Args = append(spec.Args, c.Lease.String())
		spec.Labels[LabelLease] = c.Lease.String()
	}
	// tmpfs pages count against the memory limit. All sizes together leave a quarter of it
	// to the processes, so a full disk is an error of the write and no process's death.
	own := Tmpfs{Private: id.uid >= 0, UID: id.uid, GID: id.gid}
	tmpfs := func(target string, size int64, t Tmpfs) {
		mounted := slices.ContainsFunc(c.Mounts, func(m Mount) bool { return path.Clean(m.Target) == target })
		if !mounted {
			t.Target, t.Size = target, size
			spec.Tmpfs = append(spec.Tmpfs, t)
		}
	}
	sizes := map[string]int64{Home: c.Memory / 4, c.WorkDir: c.Memory / 8 * 3}
	maps.Copy(sizes, c.Tmpfs)
	if _, given := sizes["/tmp"]; !given {
		tmpfs("/tmp", c.Memory/8, Tmpfs{})
	}
	for _, target := range slices.Sorted(maps.Keys(sizes)) {
		tmpfs(target, sizes[target], own)
	}
	own.NoExec = true
	tmpfs("/.drydock/run", 1<<20, own)
	return spec
}
