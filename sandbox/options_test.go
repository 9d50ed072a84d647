package sandbox_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Options that cannot be used are refused before anything starts, with the way out.
func TestOpenRefused(t *testing.T) {
	e, cli := enginetest.Engine(t)
	name := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	socket := "/var/run/docker.sock"
	dir := t.TempDir()
	unbuilt, err := drydock.Presets().With(drydock.Runtime{Name: "unbuilt", BaseImage: enginetest.Busybox, SetupCommands: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		opts sandbox.Options
		text string
		err  error
	}{
		{"unknown runtime", sandbox.Options{Runtime: "python-datasience"}, `did you mean "python-datascience"`, drydock.ErrUnknownRuntime},
		{"both", sandbox.Options{Runtime: "go", Image: "x"}, "more than one of Runtime, Image and Snapshot are set: give one of them", nil},
		{"offline", sandbox.Options{Runtime: "unbuilt", Images: &image.Builder{Catalog: unbuilt, Offline: true}}, "runtime unbuilt is not built on this engine: open it once without Offline", sandbox.ErrOffline},
		{"no registry", sandbox.Options{Image: "localhost:1/no/such:image"}, "localhost:1/no/such:image is not on this engine and could not be pulled", sandbox.ErrNoImage},
		{"image with a dash", sandbox.Options{Image: "-x"}, "-x", nil},
		{"name with a dash", sandbox.Options{Image: enginetest.Busybox, Name: "-x"}, `container name "-x": write letters`, nil},
		{"relative work dir", sandbox.Options{Image: enginetest.Busybox, WorkDir: "work"}, `"work" is relative; write an absolute path`, nil},
		{"work dir /", sandbox.Options{Image: enginetest.Busybox, WorkDir: "/"}, `"/" is a system directory; write another`, nil},
		{"work dir of the system", sandbox.Options{Image: enginetest.Busybox, WorkDir: "/etc/x"}, `"/etc/x" is a system directory; write another`, nil},
		{"work dir with dots", sandbox.Options{Image: enginetest.Busybox, WorkDir: "/a/../etc"}, `"/a/../etc" is not clean; write "/etc"`, nil},
		{"user", sandbox.Options{Image: enginetest.Busybox, User: "-1"}, `user: "-1" is not a user; write a uid such as 1000`, nil},
		{"user that the image does not know", sandbox.Options{Image: enginetest.Busybox, User: "nobody-here"}, "nobody-here", nil},
		{"memory", sandbox.Options{Image: enginetest.Busybox, Memory: -1}, "memory of -1 bytes: give at least", nil},
		{"cpus", sandbox.Options{Image: enginetest.Busybox, CPUs: -1}, "cpus -1: give at least 0.01", nil},
		{"pids", sandbox.Options{Image: enginetest.Busybox, PIDs: -1}, "pids limit of -1: give at least", nil},
		{"environment", sandbox.Options{Image: enginetest.Busybox, Env: map[string]string{"A=B": ""}}, `environment variable "A=B"`, nil},
		{"missing mount", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: dir + "/none", Target: "/m"}}}, "make the directory first", fs.ErrNotExist},
		{"mount of /", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "/", Target: "/m"}}}, "is refused", nil},
		{"mount of /etc", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "/etc/ssl", Target: "/m"}}}, "a system directory", nil},
		{"mount over /etc", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: dir, Target: "/etc"}}}, "belongs to the system", nil},
		{"relative mount", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "./x", Target: "/m"}}}, "is not an absolute path", nil},
		{"mount twice", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: dir, Target: "/m"}, {Source: dir, Target: "/m"}}}, "two mounts at /m", nil},
		{"volume with a dash", sandbox.Options{Image: enginetest.Busybox, Mounts: []sandbox.Mount{{Source: "-v", Target: "/m"}}}, "the name of a volume", nil},
		{"network of the host", sandbox.Options{Image: enginetest.Busybox, Network: "host"}, `network "host" is refused`, nil},
		{"network of a container", sandbox.Options{Image: enginetest.Busybox, Network: "container:x"}, "is refused", nil},
		{"network with a dash", sandbox.Options{Image: enginetest.Busybox, Network: "-x"}, `network "-x": write none, bridge`, nil},
		{"network that is not there", sandbox.Options{Image: enginetest.Busybox, Network: "drydock-none"}, "drydock-none", nil},
		{"OCI runtime", sandbox.Options{Image: enginetest.Busybox, OCIRuntime: "no-such-runtime"}, "no-such-runtime", nil},
		{"ulimit", sandbox.Options{Image: enginetest.Busybox, Ulimits: map[string]engine.Ulimit{"nofile": {Soft: 9, Hard: 1}}}, "soft must not exceed hard", nil},
		{"ulimit core", sandbox.Options{Image: enginetest.Busybox, Ulimits: map[string]engine.Ulimit{"core": {}}}, "core files are always off", nil},
		{"tmpfs", sandbox.Options{Image: enginetest.Busybox, Tmpfs: map[string]int64{"/etc": 4096}}, "belongs to the system", nil},
		{"tmpfs size", sandbox.Options{Image: enginetest.Busybox, Tmpfs: map[string]int64{"/x": -1}}, "give at least 4096", nil},
		{"start timeout", sandbox.Options{Image: enginetest.Busybox, StartTimeout: time.Millisecond}, "the sandbox did not start within 1ms", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			test.opts.Engine = e
			test.opts.Name = cmp.Or(test.opts.Name, name)
			_, err := sandbox.Open(context.Background(), &test.opts)
			is.True(err != nil)
			t.Log(err)
			is.True(strings.Contains(err.Error(), test.text))
			is.True(strings.HasPrefix(err.Error(), "open: "))
			if test.err != nil {
				is.True(errors.Is(err, test.err))
			}
		})
	}
	t.Run("the engine's socket", func(t *testing.T) {
		is := is.New(t)
		if _, err := os.Stat(socket); err != nil {
			// podman has none running: any socket is refused alike.
			socket = dir + "/socket"
			l, err := net.Listen("unix", socket)
			is.NoErr(err)
			defer l.Close()
		}
		link := dir + "/innocent"
		is.NoErr(os.Symlink(socket, link))
		for _, source := range []string{socket, link} {
			_, err := sandbox.Open(context.Background(), &sandbox.Options{Engine: e, Image: enginetest.Busybox,
				Mounts: []sandbox.Mount{{Source: source, Target: "/s"}}})
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), "only directories and regular files can be mounted"))
		}
	})
	if n := enginetest.Containers(t, cli, name); n != 0 {
		t.Errorf("%d containers left", n)
	}
}
