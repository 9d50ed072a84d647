package engine

import (
	"fmt"

	"github.com/drydock-go/drydock/dockercli"
)

// runOptions adds to a container what all of them have: see the package documentation.
func runOptions(c *Container, engine dockercli.Engine) *dockercli.RunOptions {
	o := &dockercli.RunOptions{
		Name:       c.Name,
		Labels:     c.Labels,
		Pull:       dockercli.PullNever, // what is missing is built or pulled by us, or refused
		Entrypoint: GuestPath,
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
