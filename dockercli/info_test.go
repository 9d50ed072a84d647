package dockercli

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestInfo(t *testing.T) {
	t.Run("one process for all callers", func(t *testing.T) {
		is := is.New(t)
		c, calls := fake(t, map[string]reply{"info": {Stdout: infoDocker28, Sleep: 100 * time.Millisecond}})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				info, err := c.Info(t.Context())
				if err != nil || info.Builder != BuildKit {
					t.Errorf("info %+v, error %v", info, err)
				}
			})
		}
		wg.Wait()
		_, err := c.Info(t.Context())
		is.NoErr(err)             // cached
		is.Equal(len(calls()), 1) // one probe
	})
	t.Run("a leader that leaves does not fail the others", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: infoDocker28, Sleep: 300 * time.Millisecond}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Info(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("leader: %v", err)
			}
		})
		time.Sleep(10 * time.Millisecond)
		_, err := c.Info(t.Context())
		is.NoErr(err) // asked again
		wg.Wait()
	})
	t.Run("unreachable is not cached", func(t *testing.T) {
		is := is.New(t)
		for _, r := range []reply{
			{Exit: 1, Stdout: `{"ServerVersion":"","ClientInfo":{"Version":"28.2.2"}}`, Stderr: "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"},
			{Exit: 0, Stdout: `{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"],"ClientInfo":{}}`},
			{Exit: 1, Stdout: `{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"],"ClientInfo":{}}`},
			{Exit: 0, Stdout: `{"ServerVersion":"","ClientInfo":{}}`},
		} {
			c, calls := fake(t, map[string]reply{"info": r})
			for range 2 {
				_, err := c.Info(t.Context())
				is.True(errors.Is(err, ErrUnreachable)) // sentinel
			}
			is.Equal(len(calls()), 2) // probed again
		}
		c, _ := fake(t, map[string]reply{"info": {Stdout: `{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket"]}`}})
		_, err := c.Info(t.Context())
		is.True(errors.Is(err, ErrPermission)) // sentinel
	})
	t.Run("garbage", func(t *testing.T) {
		is := is.New(t)
		c, _ := fake(t, map[string]reply{"info": {Stdout: "hello"}})
		_, err := c.Info(t.Context())
		is.True(errors.Is(err, ErrOutput)) // sentinel
	})
}

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
