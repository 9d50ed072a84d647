package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseContainer(t *testing.T) {
	t.Run("docker", func(t *testing.T) {
		is := is.New(t)
		v, err := parseContainer(`{"Id":"3af","Created":"2026-11-23T06:25:42.5Z","Name":"/web","Image":"sha256:1","State":{"Status":"exited","ExitCode":137,"OOMKilled":true,"Pid":0,"StartedAt":"2026-11-23T06:25:43Z","FinishedAt":"0001-01-01T00:00:00Z"},"Mounts":[{"Type":"volume","Name":"v","Source":"/s","Destination":"/d","RW":true}],"Config":{"Image":"img:1","User":"1:1","Labels":{"a":"1"}},"HostConfig":{"Memory":64,"MemorySwap":64,"NanoCpus":1500000000,"PidsLimit":null,"ReadonlyRootfs":true,"CapDrop":["ALL"],"SecurityOpt":["no-new-privileges"],"NetworkMode":"none","IpcMode":"private","CgroupnsMode":"private","Runtime":"runc","RestartPolicy":{"Name":"no"},"LogConfig":{"Type":"none"},"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}}}`)
		is.NoErr(err)                                                                 // parses
		is.Equal(v.Name, "web")                                                       // name
		is.Equal(v.Image, "img:1")                                                    // image
		is.Equal(v.State.ExitCode, 137)                                               // exit
		is.True(v.State.OOMKilled)                                                    // oom
		is.Equal(v.Limits, Limits{Memory: 64, MemorySwap: 64, CPUs: 1.5})             // limits
		is.Equal(v.Mounts, []MountPoint{{"volume", "v", "/s", "/d", true}})           // mounts
		is.Equal([]string{v.IPCMode, v.CgroupNSMode}, []string{"private", "private"}) // namespaces
		is.Equal(v.PublishedPorts, 1)                                                 // ports
	})
	t.Run("podman", func(t *testing.T) {
		is := is.New(t)
		v, err := parseContainer(`{"Id":"3af","Created":"2026-11-23T06:25:42.5+02:00","Name":"web","Image":"1ee","ImageName":"localhost/img:1","OCIRuntime":"crun","State":{"Status":"running","Pid":7},"Config":{"Labels":null,"Entrypoint":"/guest"},"HostConfig":{"PidsLimit":2048,"CgroupMode":"private","Runtime":"oci"}}`)
		is.NoErr(err)                        // parses
		is.Equal(v.Image, "localhost/img:1") // image
		is.Equal(v.Runtime, "crun")          // runtime
		is.Equal(v.Limits.Pids, int64(2048)) // pids
		is.Equal(v.CgroupNSMode, "private")  // namespace
	})
}
