package sandbox

import (
	"cmp"
	"crypto/rand"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/identity"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

// guestPIDs is what the guest may use above Options.PIDs: half of it for its threads, half to
// start commands when other commands have used up theirs.
const guestPIDs = 32

// container describes the container of a sandbox. The flags that all sandboxes have are in
// package engine (harden.go).
func (c *config) container(ref string, id identity.Identity, info engine.Info) *engine.Container {
	cpus := cmp.Or(c.CPUs, DefaultCPUs)
	if info.CPUs > 0 {
		// The engine refuses more than it has.
		cpus = min(cpus, float64(info.CPUs))
	}
	spec := &engine.Container{
		Name:    cmp.Or(c.Name, randomName()),
		Image:   ref,
		Args:    []string{"init"},
		Labels:  owned.Labels(engine.KindSandbox),
		User:    id.User,
		KeepID:  id.KeepID,
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
	spec.Labels[engine.LabelID] = rand.Text()
	if c.WritableRoot {
		spec.Labels[engine.LabelWritable] = "true"
	}
	if c.Lease > 0 {
		spec.Args = append(spec.Args, c.Lease.String())
		spec.Labels[engine.LabelLease] = c.Lease.String()
	}
	// tmpfs pages count against the memory limit. Together the sizes leave a quarter of it to
	// the processes, so that a full tmpfs fails the write and does not kill a process.
	own := engine.Tmpfs{Private: id.UID >= 0, UID: id.UID, GID: id.GID}
	tmpfs := func(target string, size int64, t engine.Tmpfs) {
		mounted := slices.ContainsFunc(c.Mounts, func(m Mount) bool { return path.Clean(m.Target) == target })
		if !mounted {
			t.Target, t.Size = target, size
			spec.Tmpfs = append(spec.Tmpfs, t)
		}
	}
	sizes := map[string]int64{Home: c.Memory / 4, c.WorkDir: c.Memory / 8 * 3}
	maps.Copy(sizes, c.Tmpfs)
	if _, given := sizes["/tmp"]; !given {
		tmpfs("/tmp", c.Memory/8, engine.Tmpfs{})
	}
	for _, target := range slices.Sorted(maps.Keys(sizes)) {
		tmpfs(target, sizes[target], own)
	}
	own.NoExec = true
	tmpfs("/.drydock/run", 1<<20, own)
	return spec
}

// maxProcesses returns the limit on processes and threads of the sandbox's user, or 0 for
// none. It is set only if no other process on the host has the uid: then the kernel's limit
// for the uid bounds this sandbox alone. It counts the guest's threads.
func (c *config) maxProcesses(id identity.Identity) int64 {
	if !id.Own {
		return 0
	}
	return c.PIDs + guestPIDs/2
}

// identify decides which user runs in a sandbox of this configuration, by the table in the
// package documentation, and claims a uid if the table says so. volume is the user that a
// mounted volume was made for, or nil. The caller releases the claim, which may be nil, when
// the sandbox ends.
func (c *config) identify(info engine.Info, volume *identity.Owner) (identity.Identity, *identity.Claim, error) {
	dir := c.mountedWorkDir()
	owner := (*identity.Owner)(nil)
	if dir != "" {
		// So that two sandboxes that open at once see the same owner.
		unlock, err := identity.LockDir(dir)
		if err != nil {
			return identity.Identity{}, nil, err
		}
		defer unlock()
		st, err := os.Stat(dir)
		if err != nil {
			return identity.Identity{}, nil, err
		}
		owner = identity.OwnerOf(st)
	}
	if volume != nil && (owner == nil || owner.UID == 0) {
		owner = volume
	}
	id, claim, err := identity.ThisHost(info).Decide(c.User, owner).Claim()
	if err != nil {
		return identity.Identity{}, nil, err
	}
	if err := giveWorkDir(dir, id); err != nil {
		claim.Release()
		return identity.Identity{}, nil, err
	}
	return id, claim, nil
}

// mountedWorkDir returns the host directory that is mounted at the work dir for writing, or
// "" if there is none.
func (c *config) mountedWorkDir() string {
	for _, m := range c.Mounts {
		if m.Target == c.WorkDir && !m.ReadOnly && !m.IsVolume() {
			return m.Source
		}
	}
	return ""
}

// giveWorkDir changes the owner of an empty work dir from root to the sandbox's user. The next
// sandbox with this directory then runs as its owner. A directory with files is left as it is.
func giveWorkDir(dir string, id identity.Identity) error {
	if dir == "" || os.Getuid() != 0 || id.UID <= 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if owner := identity.OwnerOf(info); owner == nil || owner.UID != 0 {
		return nil
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return err
	}
	return os.Chown(dir, id.UID, id.GID)
}
