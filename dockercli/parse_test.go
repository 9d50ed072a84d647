package dockercli

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
)

const (
	infoDocker28 = `{"ServerVersion":"28.2.2","OSType":"linux","Architecture":"aarch64","NCPU":8,"MemTotal":1024,"CgroupVersion":"2","Runtimes":{"runsc":{"path":"runsc"},"runc":{"path":"runc"}},"SecurityOptions":["name=apparmor","name=seccomp,profile=builtin","name=rootless","name=cgroupns"],"ClientInfo":{"Version":"28.2.2","Plugins":[{"Name":"buildx","Version":"v0.24"}],"Warnings":null}}`
	infoDocker20 = `{"ServerVersion":"20.10.24+dfsg1","OSType":"linux","Architecture":"x86_64","NCPU":2,"MemTotal":25276502016,"CgroupVersion":"1","Runtimes":{"runc":{"path":"runc"}},"SecurityOptions":["name=seccomp,profile=unconfined"],"ClientInfo":{"Debug":false,"Context":"default","Plugins":[],"Warnings":null}}`
	infoPodman   = `{"host":{"arch":"amd64","buildahVersion":"1.33.7","cgroupVersion":"v2","cpus":4,"memTotal":2048,"ociRuntime":{"name":"crun","package":"x"},"os":"linux","security":{"apparmorEnabled":false,"capabilities":"CAP_CHOWN","rootless":true,"seccompEnabled":true,"selinuxEnabled":true}},"store":{},"registries":{},"version":{"APIVersion":"4.9.3","Version":"4.9.3"}}`
	infoNerdctl  = `{"ID":"x","Driver":"overlayfs","CgroupVersion":"2","OSType":"linux","Architecture":"x86_64","NCPU":2,"MemTotal":5,"ServerVersion":"v2.0.0","SecurityOptions":["name=seccomp,profile=builtin"]}`
)

func TestParseInfo(t *testing.T) {
	for _, tt := range []struct {
		name, in, cli string
		want          Info
	}{
		{"docker 28", infoDocker28, "docker", Info{
			Engine: Docker, ClientVersion: "28.2.2", ServerVersion: "28.2.2", OS: "linux", Arch: "arm64",
			CPUs: 8, Memory: 1024, CgroupVersion: 2, Rootless: true, Runtimes: []string{"runc", "runsc"}, Seccomp: true,
			SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"},
		}},
		{"docker 20.10", infoDocker20, "docker", Info{
			Engine: Docker, ServerVersion: "20.10.24+dfsg1", OS: "linux", Arch: "amd64", CPUs: 2,
			Memory: 25276502016, CgroupVersion: 1, Runtimes: []string{"runc"},
			SecurityOptions: []string{"name=seccomp,profile=unconfined"},
		}},
		{"podman behind the name docker", infoPodman, "docker", Info{
			Engine: Podman, ClientVersion: "4.9.3", ServerVersion: "4.9.3", OS: "linux", Arch: "amd64", CPUs: 4,
			Memory: 2048, CgroupVersion: 2, Rootless: true, Builder: PodmanBuild, Runtimes: []string{"crun"},
			Seccomp: true, SecurityOptions: []string{"name=rootless", "name=seccomp", "name=selinux"},
		}},
		{"nerdctl", infoNerdctl, "nerdctl", Info{
			Engine: Nerdctl, ServerVersion: "v2.0.0", OS: "linux", Arch: "amd64", CPUs: 2, Memory: 5,
			CgroupVersion: 2, Builder: BuildKit, Seccomp: true, SecurityOptions: []string{"name=seccomp,profile=builtin"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			got, _, err := parseInfo(tt.in, tt.cli)
			is.NoErr(err)          // parses
			is.Equal(got, tt.want) // info
		})
	}
}

func TestDockerBuilder(t *testing.T) {
	for _, tt := range []struct {
		version, variable string
		buildx            bool
		want              Builder
	}{
		{"28.2.2", "", true, BuildKit},
		{"28.2.2", "", false, Legacy},
		{"28.2.2", "0", true, Legacy},
		{"28.2.2", "1", false, Legacy},
		{"", "", true, Legacy},
		{"", "1", false, BuildKit},
	} {
		is := is.New(t)
		is.Equal(dockerBuilder(tt.version, tt.variable, tt.buildx), tt.want) // builder
	}
}

func TestParseContainers(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     ContainerSummary
	}{
		{"docker", `{"Command":"\"sh\"","CreatedAt":"2026-11-23 06:25:42 +0000 UTC","ID":"3af","Image":"img:1","Labels":"a=1,b=x,y,c=","Names":"web,other/web","State":"running","Status":"Up 2 seconds"}`,
			ContainerSummary{ID: "3af", Name: "web", Image: "img:1", State: "running", Labels: map[string]string{"a": "1", "b": "x,y", "c": ""}}},
		{"podman", `{"AutoRemove":false,"Created":"2026-11-23T06:25:42Z","Id":"3af","Image":"localhost/img:1","ImageID":"1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000","Labels":{"a":"1,2"},"Names":["web"],"State":"exited","Status":"Exited (0) 2 seconds ago"}`,
			ContainerSummary{ID: "3af", Name: "web", Image: "localhost/img:1", ImageID: "sha256:1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000", State: "exited", Labels: map[string]string{"a": "1,2"}}},
		{"podman without labels, spread over lines", "[\n{\n  \"Id\": \"3af\",\n  \"Labels\": null,\n  \"Names\": [\n    \"web\"\n  ],\n  \"State\": \"created\"\n}\n]",
			ContainerSummary{ID: "3af", Name: "web", State: "created", Labels: map[string]string{}}},
		{"nerdctl", `{"ID":"3af","Image":"i","Names":"web","Status":"Up","Labels":""}`,
			ContainerSummary{ID: "3af", Name: "web", Image: "i", State: "running", Labels: map[string]string{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			got, err := parseContainers(tt.in + "\n\n")
			is.NoErr(err)         // parses
			is.Equal(len(got), 1) // one
			if tt.want.Labels != nil && len(tt.want.Labels) == 0 && len(got[0].Labels) == 0 {
				got[0].Labels = tt.want.Labels
			}
			is.Equal(got[0], tt.want) // container
		})
	}
	t.Run("garbage", func(t *testing.T) {
		is := is.New(t)
		_, err := parseContainers("[1]\n")
		is.True(errors.Is(err, ErrOutput)) // refused
		_, err = parseContainers(`{"ID":"1"} {"ID":`)
		is.True(errors.Is(err, ErrOutput)) // refused
	})
	t.Run("states", func(t *testing.T) {
		is := is.New(t)
		is.Equal(stateOf("Exited (0) 3 days ago"), "exited")
		is.Equal(stateOf("Up 3 days (Paused)"), "paused")
		is.Equal(stateOf("Created"), "created")
	})
}

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

func TestParseLoaded(t *testing.T) {
	is := is.New(t)
	is.Equal(parseLoaded("Copying blob sha256:16\nLoaded image: a/b:1\r\nLoaded image: c:2\nLoaded image ID: sha256:1\n"), []string{"a/b:1", "c:2"})
	is.Equal(len(parseLoaded("")), 0)
}

func TestParseImagesNetworksVolumes(t *testing.T) {
	is := is.New(t)
	id := "1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000"
	images, err := parseImages(`{"ID":"sha256:` + id + `","Repository":"a/b","Tag":"1"}` + "\n" +
		`[{"Id":"` + id + `","Created":1700000000,"Names":["a:1","a:2"]},{"Id":"` + id + `","Names":null}]`)
	is.NoErr(err)                                                                                                                // parses
	is.Equal(images, []Image{{"sha256:" + id, "a/b:1"}, {"sha256:" + id, "a:1"}, {"sha256:" + id, "a:2"}, {"sha256:" + id, ""}}) // images
	v, err := parseImage(`{"Id":"` + id + `","RepoTags":null,"Created":"","Size":5,"Os":"linux","Architecture":"amd64","Config":{"Labels":{"a":"1"},"Env":["A=b"],"Volumes":{"/b":{},"/a":{}},"ExposedPorts":{"81/udp":{},"80/tcp":{}},"Healthcheck":{"Test":["CMD","true"],"Timeout":3000000000}}}`)
	is.NoErr(err)                             // parses
	is.Equal(v.Volumes, []string{"/a", "/b"}) // volumes
	is.Equal(v.OS, "linux")                   // os
	is.Equal(v.Ports, []string{"80/tcp", "81/udp"})
	is.Equal(v.Health, Healthcheck{Test: []string{"CMD", "true"}, Timeout: 3 * time.Second})
	v, err = parseImage(`{"Id":"` + id + `","Config":{},"Healthcheck":{"Test":["CMD-SHELL","true"]}}`)
	is.NoErr(err)                                          // parses
	is.Equal(v.Health.Test, []string{"CMD-SHELL", "true"}) // podman's place
	networks, err := parseNetworks(`{"ID":"1","Name":"n","Driver":"bridge","Labels":"a=1","Internal":"false"}` + "\n" +
		`{"name":"n","id":"1","driver":"bridge","internal":false,"labels":{"a":"1"}}`)
	is.NoErr(err)                          // parses
	is.Equal(networks[0], networks[1])     // docker's and podman's shape
	is.Equal(networks[0].Labels["a"], "1") // labels
	volumes, err := parseVolumes(`{"Name":"v","Driver":"local","Mountpoint":"/m","Labels":null}`)
	is.NoErr(err)                  // parses
	is.Equal(volumes[0].Name, "v") // name
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{infoDocker28, infoPodman, `{"Labels":"a=1,b","Names":"x"}`, `{"Labels":{"a":"b"},"Names":["x"]}`, "null", "{}", `{"Labels":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parseInfo(s, "docker")
		parseContainers(s)
		parseContainer(s)
		parseImages(s)
		parseImage(s)
		parseNetworks(s)
		parseVolumes(s)
		hasBuildx(s)
		if n := len(lastLines(s)); n > maxErrorBytes+100 {
			t.Errorf("lastLines returned %d bytes", n)
		}
		failingStep(s)
		classify([]string{"run"}, s)
		engineMessage(s)
	})
}
