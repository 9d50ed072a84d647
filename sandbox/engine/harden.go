package engine

import (
	"fmt"

	"github.com/drydock-go/drydock/dockercli"
)

// runOptions are the flags of docker run for a container: its own, and those that isolate
// every sandbox, whatever its options. "What every sandbox has" in the package documentation
// of sandbox says the same in words.
func runOptions(c *Container, engine dockercli.Engine) *dockercli.RunOptions {
	o := &dockercli.RunOptions{
		Name:       c.Name,
		Labels:     c.Labels,
		Pull:       dockercli.PullNever, // package image pulls and builds
		Entrypoint: GuestPath,
		User:       c.User,
		WorkDir:    c.WorkDir,
		Hostname:   "sandbox",
		// The guest ignores every other signal: "docker stop" would wait ten seconds in vain.
		StopSignal: "KILL",
		// The guest is PID 1, also if the engine is set to put an init before it.
		NoInit:  true,
		Remove:  true, // with its anonymous volumes, when the guest ends
		Network: c.Network,
		Tmpfs:   make(map[string]string),
		// Writes go to tmpfs mounts, whose sizes are bounded.
		ReadOnly: !c.WritableRoot,
		CapDrop:  []string{"ALL"},
		// No setuid program of the image gives back what was dropped. The engine's default
		// seccomp profile stays in force.
		SecurityOpt: []string{"no-new-privileges"},
		IPC:         "private",
		CgroupNS:    "private",
		Memory:      c.Memory,
		MemorySwap:  c.Memory, // memory and swap together: no swap
		CPUs:        c.CPUs,
		PidsLimit:   c.PIDs,
		Ulimits:     map[string]dockercli.Ulimit{"core": {}}, // no core files
		Runtime:     c.Runtime,
		Restart:     "no",
		// Any other driver writes each byte of the channel to the disk.
		LogDriver: "none",
		// The engine would run it by exec, beside the guest.
		NoHealthcheck: true,
	}
	for name, u := range c.Ulimits {
		o.Ulimits[name] = dockercli.Ulimit(u)
	}
	for _, m := range c.Mounts {
		kind := dockercli.MountBind
		if m.IsVolume() {
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
		// It looks for the key sequence even without a terminal, so two bytes of the channel
		// would detach from the container.
		o.DetachKeys = new(string)
		// It would mount its own account files over those that the guest writes.
		o.NoPasswd = true
		// A limit on the command line replaces all limits of its configuration. It would then
		// try to raise these two, which not every host permits.
		for name, u := range inheritedLimits() {
			if _, given := c.Ulimits[name]; !given {
				o.Ulimits[name] = u
			}
		}
	}
	return o
}

// options returns the value of --tmpfs, after the target.
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

// podmanMount returns the mount that podman needs for a private tmpfs, because its --tmpfs
// takes no uid. Such a mount cannot be noexec. It reports false for a tmpfs of everybody's.
func (t Tmpfs) podmanMount() (dockercli.Mount, bool) {
	return dockercli.Mount{Type: dockercli.MountTmpfs, Target: t.Target, Size: t.Size, Mode: 0o700, Own: true, Empty: true}, t.Private
}
