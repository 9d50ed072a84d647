package dockercli

import (
	"context"
	"errors"
	"testing"
	"time"

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
			Name: "n", Labels: map[string]string{"b": "2", "a": "1,x"}, Platform: "linux/arm64", Pull: PullNever,
			Entrypoint: "/guest", User: "1000:1000", WorkDir: "/w", Hostname: "h", StopSignal: "USR1",
			Env:    map[string]string{"TOKEN": "s3cret", "A": "b c", "PATH": "/bin", "http_proxy": "p"},
			Remove: true, Detach: true, Interactive: true, TTY: true, DetachKeys: &none,
			Network: "none",
			Mounts: []Mount{
				{Source: "/a,b", Target: `/c"d`, ReadOnly: true},
				{Type: MountVolume, Source: "vol", Target: "/v"},
				{Type: MountTmpfs, Target: "/t", Size: 1 << 20, Mode: 0o700, Own: true, Empty: true},
			},
			Tmpfs: map[string]string{"/tmp": "size=1m,exec", "/run": ""}, ReadOnly: true,
			CapDrop: []string{"ALL"}, CapAdd: []string{"CHOWN"}, SecurityOpt: []string{"no-new-privileges"},
			UserNS: "keep-id", IPC: "private", CgroupNS: "private", Memory: 1 << 30, MemorySwap: -1,
			CPUs: 1.5, PidsLimit: 1024, ShmSize: 64 << 20,
			Ulimits: map[string]Ulimit{"nofile": {1024, 2048}, "core": {0, 0}}, Restart: "no", Runtime: "runsc",
			LogDriver: "none", NoHealthcheck: true, NoInit: true, NoPasswd: true,
		})
		equalArgs(is, argv, "run", "--name=n", "--label=a=1,x", "--label=b=2", "--platform=linux/arm64",
			"--pull=never", "--entrypoint=/guest", "--user=1000:1000", "--workdir=/w", "--hostname=h",
			"--stop-signal=USR1", "--env=A", "--env=PATH=/bin", "--env=TOKEN", "--env=http_proxy=p",
			"--rm", "--detach", "--interactive", "--tty", "--detach-keys=", "--network=none",
			`--mount=type=bind,"source=/a,b","destination=/c""d",ro`,
			"--mount=type=volume,source=vol,destination=/v",
			"--mount=type=tmpfs,destination=/t,tmpfs-size=1048576,tmpfs-mode=700,U=true,notmpcopyup",
			"--tmpfs=/run", "--tmpfs=/tmp:size=1m,exec", "--read-only", "--cap-drop=ALL", "--cap-add=CHOWN",
			"--security-opt=no-new-privileges", "--userns=keep-id", "--ipc=private", "--cgroupns=private",
			"--memory=1073741824", "--memory-swap=-1", "--cpus=1.5", "--pids-limit=1024",
			"--shm-size=67108864", "--ulimit=core=0:0", "--ulimit=nofile=1024:2048", "--restart=no",
			"--runtime=runsc", "--log-driver=none", "--no-healthcheck",
			"--init=false", "--passwd=false", "--", "img:1", "-c", "x y")
		equalArgs(is, env, "A=b c", "TOKEN=s3cret")
	})
}

func TestExecArgs(t *testing.T) {
	t.Run("defaults", func(t *testing.T) {
		is := is.New(t)
		argv, _ := execArgs("c", []string{"ls"}, &ExecOptions{})
		equalArgs(is, argv, "exec", "--", "c", "ls")
	})
	t.Run("all options", func(t *testing.T) {
		is := is.New(t)
		none := ""
		argv, env := execArgs("c", []string{"ls", "-l"}, &ExecOptions{
			User: "0", WorkDir: "/w", Env: map[string]string{"K": "v"}, Interactive: true, TTY: true,
			DetachKeys: &none,
		})
		equalArgs(is, argv, "exec", "--user=0", "--workdir=/w", "--env=K", "--interactive", "--tty",
			"--detach-keys=", "--", "c", "ls", "-l")
		equalArgs(is, env, "K=v")
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
		argv, env = buildArgs(&BuildOptions{Pull: PullNever}, Info{Builder: PodmanBuild})
		equalArgs(is, argv, "build", "--force-rm", "--pull=never", "--", "-")
		equalArgs(is, env)
	})
	t.Run("all options", func(t *testing.T) {
		is := is.New(t)
		argv, env := buildArgs(&BuildOptions{
			Tags: []string{"a:1", "b:2"}, Dockerfile: "d/Dockerfile", Labels: map[string]string{"z": "1", "y": "2"},
			BuildArgs: map[string]string{"KEY": "s", "HTTPS_PROXY": "p"}, Platform: "linux/amd64",
			Network: "none", NoCache: true, Pull: PullAlways,
		}, docker)
		equalArgs(is, argv, "build", "--progress=plain", "--load", "--file=d/Dockerfile", "--tag=a:1",
			"--tag=b:2", "--label=y=2", "--label=z=1", "--build-arg=HTTPS_PROXY=p", "--build-arg=KEY",
			"--platform=linux/amd64", "--network=none", "--no-cache", "--pull", "--", "-")
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
		{"list defaults", listArgs(nil), []string{"ps", "--all", "--no-trunc", "--format={{json .}}"}},
		{"list all options", listArgs(labels), []string{"ps", "--all", "--no-trunc", "--filter=label=a",
			"--filter=label=b=2", "--format={{json .}}"}},
		{"inspect", inspectArgs("c"), []string{"container", "inspect", "--format={{json .}}", "--", "c"}},
		{"remove", removeArgs([]string{"a", "b"}), []string{"rm", "--force", "--volumes", "--", "a", "b"}},
		{"pause", pauseArgs("c"), []string{"pause", "--", "c"}},
		{"unpause", unpauseArgs("c"), []string{"unpause", "--", "c"}},
		{"create", createArgs("i:1", "n", map[string]string{"a": "1"}, []string{"true"}),
			[]string{"create", "--name=n", "--pull=never", "--label=a=1", "--", "i:1", "true"}},
		{"save docker", saveArgs([]string{"a:1", "b:2"}, Docker), []string{"save", "--", "a:1", "b:2"}},
		{"save podman", saveArgs([]string{"a:1", "b:2"}, Podman), []string{"save", "--multi-image-archive", "--", "a:1", "b:2"}},
		{"load", loadArgs(), []string{"load"}},
		{"commit", commitArgs("c", "i:1"), []string{"commit", "--", "c", "i:1"}},
		{"kill", killArgs("c", "USR1"), []string{"kill", "--signal=USR1", "--", "c"}},
		{"stop defaults", stopArgs("c", 0), []string{"stop", "-t=0", "--", "c"}},
		{"stop rounds up", stopArgs("c", 1100*time.Millisecond), []string{"stop", "-t=2", "--", "c"}},
		{"logs defaults", logsArgs("c", &LogsOptions{}), []string{"logs", "--", "c"}},
		{"logs all options", logsArgs("c", &LogsOptions{Tail: 5, Follow: true}),
			[]string{"logs", "--follow", "--tail=5", "--", "c"}},
		{"copy to", copyToArgs("c", "/d"), []string{"cp", "--", "-", "c:/d"}},
		{"copy from", copyFromArgs("c", "/d"), []string{"cp", "--", "c:/d", "-"}},
		{"pull defaults", pullArgs("i", &PullOptions{}), []string{"pull", "--", "i"}},
		{"pull all options", pullArgs("i", &PullOptions{Platform: "linux/arm64"}),
			[]string{"pull", "--platform=linux/arm64", "--", "i"}},
		{"images defaults", imagesArgs(nil), []string{"image", "ls", "--no-trunc", "--format={{json .}}"}},
		{"images all options", imagesArgs(labels), []string{"image", "ls", "--no-trunc", "--filter=label=a",
			"--filter=label=b=2", "--format={{json .}}"}},
		{"image inspect", imageInspectArgs("i"), []string{"image", "inspect", "--format={{json .}}", "--", "i"}},
		{"image inspect all", imageInspectArgs("i", "j"), []string{"image", "inspect", "--format={{json .}}", "--", "i", "j"}},
		{"remove image", removeImageArgs("i"), []string{"rmi", "--", "i"}},
		{"tag", tagArgs("i", "j:1"), []string{"tag", "--", "i", "j:1"}},
		{"network create defaults", networkCreateArgs("n", &NetworkOptions{}), []string{"network", "create", "--", "n"}},
		{"network create all options", networkCreateArgs("n", &NetworkOptions{Labels: labels, Internal: true}),
			[]string{"network", "create", "--label=a=", "--label=b=2", "--internal", "--", "n"}},
		{"network list", networkListArgs(labels), []string{"network", "ls", "--no-trunc", "--filter=label=a",
			"--filter=label=b=2", "--format={{json .}}"}},
		{"network remove", networkRemoveArgs("n"), []string{"network", "rm", "--", "n"}},
		{"volume create defaults", volumeCreateArgs("v", &VolumeOptions{}), []string{"volume", "create", "--", "v"}},
		{"volume create all options", volumeCreateArgs("v", &VolumeOptions{Labels: labels}),
			[]string{"volume", "create", "--label=a=", "--label=b=2", "--", "v"}},
		{"volume list", volumeListArgs(labels), []string{"volume", "ls", "--filter=label=a", "--filter=label=b=2",
			"--format={{json .}}"}},
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
		"run":       func(n string) error { _, err := c.Run(ctx, n, nil, nil); return err },
		"start":     func(n string) error { _, err := c.Start(ctx, n, nil, nil); return err },
		"exec":      func(n string) error { _, err := c.Exec(ctx, n, []string{"ls"}, nil); return err },
		"startexec": func(n string) error { _, err := c.StartExec(ctx, n, []string{"ls"}, nil); return err },
		"inspect":   func(n string) error { _, err := c.Inspect(ctx, n); return err },
		"remove":    func(n string) error { return c.Remove(ctx, "ok", n) },
		"kill":      func(n string) error { return c.Kill(ctx, n, "") },
		"stop":      func(n string) error { return c.Stop(ctx, n, 0) },
		"logs":      func(n string) error { _, err := c.Logs(ctx, n, nil); return err },
		"copyto":    func(n string) error { return c.CopyTo(ctx, n, "/", nil) },
		"copyfrom":  func(n string) error { return c.CopyFrom(ctx, n, "/", nil) },
		"pull":      func(n string) error { return c.Pull(ctx, n, nil) },
		"image":     func(n string) error { _, err := c.ImageInspect(ctx, n); return err },
		"rmi":       func(n string) error { return c.RemoveImage(ctx, n) },
		"tag":       func(n string) error { return c.Tag(ctx, "ok", n) },
		"netcreate": func(n string) error { return c.NetworkCreate(ctx, n, nil) },
		"netrm":     func(n string) error { return c.NetworkRemove(ctx, n) },
		"volcreate": func(n string) error { return c.VolumeCreate(ctx, n, nil) },
		"volrm":     func(n string) error { return c.VolumeRemove(ctx, n) },
		"volume":    func(n string) error { _, err := c.VolumeInspect(ctx, n); return err },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for _, bad := range []string{"", "-v", "--privileged", "a\nb", "a\x00"} {
				err := call(bad)
				is.True(errors.Is(err, ErrInvalidName)) // refused
				var e *Error
				is.True(errors.As(err, &e)) // typed
				is.Equal(e.ExitCode, -1)    // not started
			}
		})
	}
	t.Run("inside options", func(t *testing.T) {
		is := is.New(t)
		for _, o := range []RunOptions{
			{Name: "-x"},
			{Env: map[string]string{"A=B": ""}},
			{Env: map[string]string{"": "x"}},
			{Env: map[string]string{"A": "\x00"}},
			{Mounts: []Mount{{Source: "/a", Target: "b"}}},
			{Mounts: []Mount{{Target: "/b"}}},
			{Mounts: []Mount{{Source: "/a\n", Target: "/b"}}},
			{Tmpfs: map[string]string{"/a:b": ""}},
			{Tmpfs: map[string]string{"a": ""}},
		} {
			_, err := c.Run(ctx, "img", nil, &o)
			is.True(errors.Is(err, ErrInvalidName)) // refused
		}
		_, err := c.Exec(ctx, "c", nil, nil)
		is.True(errors.Is(err, ErrInvalidName))                              // no command
		is.True(errors.Is(c.CopyTo(ctx, "a:b", "/", nil), ErrInvalidName))   // not one container
		is.True(errors.Is(c.CopyFrom(ctx, "a", "rel", nil), ErrInvalidName)) // relative
	})
	is := is.New(t)
	is.Equal(len(calls()), 0) // nothing was started
}
