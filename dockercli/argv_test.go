package dockercli

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestRunArgs(t *testing.T) {
	t.Run("defaults", func(t *testing.T) {
		is := is.New(t)
		argv, env := runArgs("img", nil, &RunOptions{})
		equalArgs(is, argv, "run", "--", "img")
		is.Equal(len(env), 0) // no variables
	})
	t.Run("all options", func(t *testing.T) {
		is := is.New(t)
		none := ""
		argv, env := runArgs("img:1", []string{"-c", "x y"}, &RunOptions{
			Name: "n", Labels: map[string]string{"b": "2", "a": "1,x"}, Pull: PullNever,
			Entrypoint: "/guest", User: "1000:1000", WorkDir: "/w", Hostname: "h", StopSignal: "USR1",
			Env:    map[string]string{"TOKEN": "s3cret", "A": "b c", "PATH": "/bin", "http_proxy": "p"},
			Remove: true, Detach: true, Interactive: true, DetachKeys: &none,
			Network: "none",
			Mounts: []Mount{
				{Source: "/a,b", Target: `/c"d`, ReadOnly: true},
				{Type: MountVolume, Source: "vol", Target: "/v"},
				{Type: MountTmpfs, Target: "/t", Size: 1 << 20, Mode: 0o700, Own: true, Empty: true},
			},
			Tmpfs: map[string]string{"/tmp": "size=1m,exec", "/run": ""}, ReadOnly: true,
			CapDrop: []string{"ALL"}, CapAdd: []string{"CHOWN"}, SecurityOpt: []string{"no-new-privileges"},
			UserNS: "keep-id", IPC: "private", CgroupNS: "private", Memory: 1 << 30, MemorySwap: -1,
			CPUs: 1.5, PidsLimit: 1024,
			Ulimits: map[string]Ulimit{"nofile": {1024, 2048}, "core": {0, 0}}, Restart: "no", Runtime: "runsc",
			LogDriver: "none", NoHealthcheck: true, NoInit: true, NoPasswd: true,
		})
		equalArgs(is, argv, "run", "--name=n", "--label=a=1,x", "--label=b=2",
			"--pull=never", "--entrypoint=/guest", "--user=1000:1000", "--workdir=/w", "--hostname=h",
			"--stop-signal=USR1", "--env=A", "--env=PATH=/bin", "--env=TOKEN", "--env=http_proxy=p",
			"--rm", "--detach", "--interactive", "--detach-keys=", "--network=none",
			`--mount=type=bind,"source=/a,b","destination=/c""d",ro`,
			"--mount=type=volume,source=vol,destination=/v",
			"--mount=type=tmpfs,destination=/t,tmpfs-size=1048576,tmpfs-mode=700,U=true,notmpcopyup",
			"--tmpfs=/run", "--tmpfs=/tmp:size=1m,exec", "--read-only", "--cap-drop=ALL", "--cap-add=CHOWN",
			"--security-opt=no-new-privileges", "--userns=keep-id", "--ipc=private", "--cgroupns=private",
			"--memory=1073741824", "--memory-swap=-1", "--cpus=1.5", "--pids-limit=1024",
			"--ulimit=core=0:0", "--ulimit=nofile=1024:2048", "--restart=no",
			"--runtime=runsc", "--log-driver=none", "--no-healthcheck",
			"--init=false", "--passwd=false", "--", "img:1", "-c", "x y")
		equalArgs(is, env, "A=b c", "TOKEN=s3cret")
	})
}

func TestExecArgs(t *testing.T) {
	t.Run("defaults", func(t *testing.T) {
		is := is.New(t)
		equalArgs(is, execArgs("c", []string{"ls"}, &ExecOptions{}), "exec", "--interactive", "--", "c", "ls")
	})
	t.Run("all options", func(t *testing.T) {
		is := is.New(t)
		none := ""
		argv := execArgs("c", []string{"ls", "-l"}, &ExecOptions{User: "0", DetachKeys: &none})
		equalArgs(is, argv, "exec", "--interactive", "--user=0", "--detach-keys=", "--", "c", "ls", "-l")
	})
}

func TestBuildArgs(t *testing.T) {
	docker := Info{Engine: Docker, ClientVersion: "28.2.2", Builder: BuildKit}
	t.Run("defaults", func(t *testing.T) {
		is := is.New(t)
		argv, env := buildArgs(&BuildOptions{}, Info{Builder: Legacy})
		equalArgs(is, argv, "build", "--force-rm", "--", "-")
		equalArgs(is, env, "DOCKER_BUILDKIT=0")
		argv, env = buildArgs(&BuildOptions{}, docker)
		equalArgs(is, argv, "build", "--progress=plain", "--load", "--", "-")
		equalArgs(is, env, "DOCKER_BUILDKIT=1")
		argv, _ = buildArgs(&BuildOptions{}, Info{Builder: BuildKit})
		equalArgs(is, argv, "build", "--progress=plain", "--", "-")
		argv, env = buildArgs(&BuildOptions{}, Info{Builder: PodmanBuild})
		equalArgs(is, argv, "build", "--force-rm", "--", "-")
		equalArgs(is, env)
	})
	t.Run("all options", func(t *testing.T) {
		is := is.New(t)
		argv, env := buildArgs(&BuildOptions{
			Tags: []string{"a:1", "b:2"}, Labels: map[string]string{"z": "1", "y": "2"},
			BuildArgs: map[string]string{"KEY": "s", "HTTPS_PROXY": "p"}, NoCache: true,
		}, docker)
		equalArgs(is, argv, "build", "--progress=plain", "--load", "--tag=a:1",
			"--tag=b:2", "--label=y=2", "--label=z=1", "--build-arg=HTTPS_PROXY=p", "--build-arg=KEY",
			"--no-cache", "--", "-")
		equalArgs(is, env, "DOCKER_BUILDKIT=1", "KEY=s")
	})
}

func TestOtherArgs(t *testing.T) {
	labels := map[string]string{"b": "2", "a": ""}
	for _, tt := range []struct {
		name      string
		got, want []string
	}{
		{"info", infoArgs(), []string{"info", "--format={{json .}}"}},
		{"container list defaults", containerListArgs(nil), []string{"ps", "--all", "--no-trunc", "--format={{json .}}"}},
		{"container list all options", containerListArgs(labels), []string{"ps", "--all", "--no-trunc", "--filter=label=a",
			"--filter=label=b=2", "--format={{json .}}"}},
		{"container inspect", containerInspectArgs("c"), []string{"container", "inspect", "--format={{json .}}", "--", "c"}},
		{"container remove", containerRemoveArgs([]string{"a", "b"}), []string{"rm", "--force", "--volumes", "--", "a", "b"}},
		{"pause", pauseArgs("c"), []string{"pause", "--", "c"}},
		{"unpause", unpauseArgs("c"), []string{"unpause", "--", "c"}},
		{"container create", containerCreateArgs("i:1", "n", map[string]string{"a": "1"}, []string{"true"}),
			[]string{"create", "--name=n", "--pull=never", "--label=a=1", "--", "i:1", "true"}},
		{"save docker", saveArgs([]string{"a:1", "b:2"}, Docker), []string{"save", "--", "a:1", "b:2"}},
		{"save podman", saveArgs([]string{"a:1", "b:2"}, Podman), []string{"save", "--multi-image-archive", "--", "a:1", "b:2"}},
		{"load", loadArgs(), []string{"load"}},
		{"commit", commitArgs("c", "i:1"), []string{"commit", "--", "c", "i:1"}},
		{"pull", pullArgs("i"), []string{"pull", "--", "i"}},
		{"image list defaults", imageListArgs(nil), []string{"image", "ls", "--no-trunc", "--format={{json .}}"}},
		{"image list all options", imageListArgs(labels), []string{"image", "ls", "--no-trunc", "--filter=label=a",
			"--filter=label=b=2", "--format={{json .}}"}},
		{"image inspect", imageInspectArgs("i"), []string{"image", "inspect", "--format={{json .}}", "--", "i"}},
		{"image inspect all", imageInspectArgs("i", "j"), []string{"image", "inspect", "--format={{json .}}", "--", "i", "j"}},
		{"image remove", imageRemoveArgs("i"), []string{"rmi", "--", "i"}},
		{"network create defaults", networkCreateArgs("n", &NetworkOptions{}), []string{"network", "create", "--", "n"}},
		{"network create all options", networkCreateArgs("n", &NetworkOptions{Labels: labels, Internal: true}),
			[]string{"network", "create", "--label=a=", "--label=b=2", "--internal", "--", "n"}},
		{"network list", networkListArgs(labels), []string{"network", "ls", "--no-trunc", "--filter=label=a",
			"--filter=label=b=2", "--format={{json .}}"}},
		{"network remove", networkRemoveArgs("n"), []string{"network", "rm", "--", "n"}},
		{"volume create defaults", volumeCreateArgs("v", &VolumeOptions{}), []string{"volume", "create", "--", "v"}},
		{"volume create all options", volumeCreateArgs("v", &VolumeOptions{Labels: labels}),
			[]string{"volume", "create", "--label=a=", "--label=b=2", "--", "v"}},
		{"volume inspect", volumeInspectArgs("v"), []string{"volume", "inspect", "--format={{json .}}", "--", "v"}},
		{"volume remove", volumeRemoveArgs("v"), []string{"volume", "rm", "--", "v"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			equalArgs(is, tt.got, tt.want...)
		})
	}
}

// Every method refuses a name that a CLI could take for a flag, before it starts anything.
func TestInvalidNames(t *testing.T) {
	c, calls := fake(t, map[string]reply{"info": {Stdout: infoDocker28}})
	ctx := context.Background()
	for name, call := range map[string]func(n string) error{
		"Run":                   func(n string) error { _, err := c.Run(ctx, n, nil, nil); return err },
		"Start":                 func(n string) error { _, err := c.Start(ctx, n, nil, nil); return err },
		"StartExec":             func(n string) error { _, err := c.StartExec(ctx, n, []string{"ls"}, nil); return err },
		"Pause":                 func(n string) error { return c.Pause(ctx, n) },
		"Unpause":               func(n string) error { return c.Unpause(ctx, n) },
		"Commit container":      func(n string) error { return c.Commit(ctx, n, "ok") },
		"Commit tag":            func(n string) error { return c.Commit(ctx, "ok", n) },
		"ContainerCreate":       func(n string) error { return c.ContainerCreate(ctx, "ok", n, nil) },
		"ContainerCreate image": func(n string) error { return c.ContainerCreate(ctx, n, "ok", nil) },
		"ContainerInspect":      func(n string) error { _, err := c.ContainerInspect(ctx, n); return err },
		"ContainerRemove":       func(n string) error { return c.ContainerRemove(ctx, "ok", n) },
		"Pull":                  func(n string) error { return c.Pull(ctx, n, nil) },
		"Save":                  func(n string) error { return c.Save(ctx, io.Discard, "ok", n) },
		"Build":                 func(n string) error { return c.Build(ctx, nil, &BuildOptions{Tags: []string{n}}) },
		"ImageInspect":          func(n string) error { _, err := c.ImageInspect(ctx, n); return err },
		"ImageInspectAll":       func(n string) error { _, err := c.ImageInspectAll(ctx, []string{n}); return err },
		"ImageRemove":           func(n string) error { return c.ImageRemove(ctx, n) },
		"NetworkCreate":         func(n string) error { return c.NetworkCreate(ctx, n, nil) },
		"NetworkRemove":         func(n string) error { return c.NetworkRemove(ctx, n) },
		"VolumeCreate":          func(n string) error { return c.VolumeCreate(ctx, n, nil) },
		"VolumeInspect":         func(n string) error { _, err := c.VolumeInspect(ctx, n); return err },
		"VolumeRemove":          func(n string) error { return c.VolumeRemove(ctx, n) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for _, bad := range []string{"", "-v", "--privileged", "a\nb", "a\x00"} {
				err := call(bad)
				is.True(errors.Is(err, ErrInvalidName)) // refused
				e, ok := errors.AsType[*Error](err)
				is.True(ok)              // typed
				is.Equal(e.ExitCode, -1) // not started
			}
		})
	}
	t.Run("inside options", func(t *testing.T) {
		is := is.New(t)
		for _, tt := range []struct {
			options RunOptions
			want    string
		}{
			{RunOptions{Name: "-x"}, `container "-x" begins with "-"`},
			{RunOptions{Name: "a\n"}, `container "a\n" has a line break or a zero byte`},
			{RunOptions{Env: map[string]string{"A=B": ""}}, `variable "A=B" is empty, or has '=', a line break or a zero byte`},
			{RunOptions{Env: map[string]string{"": "x"}}, `variable "" is empty, or has '=', a line break or a zero byte`},
			{RunOptions{Env: map[string]string{"A": "\x00"}}, `the value of variable "A" has a zero byte`},
			{RunOptions{Mounts: []Mount{{Source: "/a", Target: "b"}}}, `mount target "b" is not absolute`},
			{RunOptions{Mounts: []Mount{{Target: "/b"}}}, `the mount at "/b" has no source`},
			{RunOptions{Mounts: []Mount{{Type: MountTmpfs, Source: "/a", Target: "/b"}}}, `the tmpfs at "/b" has a source, "/a"`},
			{RunOptions{Mounts: []Mount{{Source: "/a\n", Target: "/b"}}}, `the mount of "/a\n" at "/b" has a line break or a zero byte`},
			{RunOptions{Tmpfs: map[string]string{"/a:b": ""}}, `tmpfs path "/a:b"; give an absolute path without ':'`},
			{RunOptions{Tmpfs: map[string]string{"a": ""}}, `tmpfs path "a"; give an absolute path without ':'`},
		} {
			_, err := c.Run(ctx, "img", nil, &tt.options)
			is.True(errors.Is(err, ErrInvalidName)) // refused
			_, text, _ := strings.Cut(err.Error(), ": invalid name: ")
			is.Equal(text, tt.want) // says why
		}
		_, err := c.StartExec(ctx, "c", nil, nil)
		is.True(errors.Is(err, ErrInvalidName)) // no command
		is.True(strings.HasSuffix(err.Error(), " exec: invalid name: the command is empty"))
	})
	is := is.New(t)
	for _, call := range calls() {
		is.Equal(call.Args[0], "info") // nothing else was started
	}
}
