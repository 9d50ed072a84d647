package engine

import (
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
)

func TestRunOptions(t *testing.T) {
	own := Tmpfs{Private: true, UID: 7, GID: 8}
	tmpfs := func(target string, size int64, noExec bool) Tmpfs {
		t := own
		t.Target, t.Size, t.NoExec = target, size, noExec
		return t
	}
	spec := &Container{
		Name: "n", Image: "tag", User: "7:8", WorkDir: "/work", Network: "none", Runtime: "runsc",
		Memory: 1 << 30, CPUs: 1, PIDs: 1024, Ulimits: map[string]Ulimit{"nofile": {10, 20}},
		Mounts: []Mount{{Source: "/data", Target: "/data", ReadOnly: true}, {Source: "vol", Target: "/home/sandbox"}},
		Tmpfs:  []Tmpfs{{Target: "/tmp", Size: 128 << 20}, tmpfs("/cache", 4096, false), tmpfs("/work", 384<<20, false), tmpfs("/.drydock/run", 1<<20, true)},
	}
	t.Run("docker", func(t *testing.T) {
		is := is.New(t)
		o := runOptions(spec, dockercli.Docker)
		is.Equal(o.CPUs, 1.0)
		is.Equal(o.Memory, o.MemorySwap)
		is.Equal(o.CapDrop, []string{"ALL"})
		is.Equal(o.SecurityOpt, []string{"no-new-privileges"})
		is.True(o.ReadOnly && o.Remove && o.NoInit && o.NoHealthcheck)
		is.Equal(o.Pull, dockercli.PullNever)
		is.Equal([]string{o.Network, o.IPC, o.CgroupNS, o.Restart, o.LogDriver, o.StopSignal, o.User},
			[]string{"none", "private", "private", "no", "none", "KILL", "7:8"})
		is.True(o.DetachKeys == nil)
		is.Equal(o.Tmpfs, map[string]string{
			"/tmp":          "rw,exec,nosuid,nodev,size=134217728,mode=1777",
			"/cache":        "rw,exec,nosuid,nodev,size=4096,mode=700,uid=7,gid=8",
			"/work":         "rw,exec,nosuid,nodev,size=402653184,mode=700,uid=7,gid=8",
			"/.drydock/run": "rw,noexec,nosuid,nodev,size=1048576,mode=700,uid=7,gid=8",
		})
		is.Equal(o.Mounts, []dockercli.Mount{
			{Type: dockercli.MountBind, Source: "/data", Target: "/data", ReadOnly: true},
			{Type: dockercli.MountVolume, Source: "vol", Target: "/home/sandbox"}})
		is.Equal(o.Ulimits, map[string]dockercli.Ulimit{"core": {}, "nofile": {Soft: 10, Hard: 20}})
		is.Equal(o.Runtime, "runsc")
		is.Equal(len(o.Env), 0) // nothing of the caller's is to be seen by inspect
	})
	t.Run("podman", func(t *testing.T) {
		is := is.New(t)
		spec.KeepID = true
		o := runOptions(spec, dockercli.Podman)
		is.Equal(*o.DetachKeys, "")
		is.True(o.NoPasswd)
		is.Equal(o.UserNS, "keep-id")
		is.Equal(slices.Collect(func(yield func(string) bool) {
			for path := range o.Tmpfs {
				if !yield(path) {
					return
				}
			}
		}), []string{"/tmp"})
		is.Equal(o.Mounts[3], dockercli.Mount{Type: dockercli.MountTmpfs, Target: "/work", Size: 3 << 27, Mode: 0o700, Own: true, Empty: true})
		is.Equal(o.Ulimits["nofile"], dockercli.Ulimit{Soft: 10, Hard: 20}) // what is given wins
	})
}
