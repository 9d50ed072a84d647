package sandbox

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/identity"
	"github.com/drydock-go/drydock/sandbox/internal/owned"
)

func TestContainer(t *testing.T) {
	is := is.New(t)
	c := &config{Options: Options{Memory: 1 << 30, PIDs: 1024, WorkDir: "/work", Name: "n", Network: "none", OCIRuntime: "runsc", Lease: time.Minute,
		Tmpfs: map[string]int64{"/cache": 4096}, Ulimits: map[string]engine.Ulimit{"nofile": {Soft: 10, Hard: 20}},
		Mounts: []Mount{{Source: "/data", Target: "/data", ReadOnly: true}, {Source: "vol", Target: Home}}}}
	got := c.container("tag", identity.Identity{User: "7:8", UID: 7, GID: 8}, engine.Info{CPUs: 1})
	id := got.Labels[engine.LabelID]
	is.True(len(id) > 20) // tells it from others of its name
	is.Equal(got.Labels, map[string]string{
		engine.LabelFormat: "1", engine.LabelKind: "sandbox", engine.LabelID: id, engine.LabelLease: "1m0s",
		engine.LabelOwner: owned.ThisProcess(), engine.LabelCreated: got.Labels[engine.LabelCreated],
	})
	got.Labels = nil
	own := engine.Tmpfs{Private: true, UID: 7, GID: 8}
	tmpfs := func(target string, size int64, noExec bool) engine.Tmpfs {
		t := own
		t.Target, t.Size, t.NoExec = target, size, noExec
		return t
	}
	is.Equal(got, &engine.Container{
		Name: "n", Image: "tag", Args: []string{"init", "1m0s"}, User: "7:8", WorkDir: "/work", Mounts: c.Mounts, Ulimits: c.Ulimits,
		Runtime: "runsc", Memory: 1 << 30, Network: "none",
		CPUs: 1,         // as many as there are
		PIDs: 1024 + 32, // with the guest's
		Tmpfs: []engine.Tmpfs{{Target: "/tmp", Size: 128 << 20}, // a volume is home
			tmpfs("/cache", 4096, false), tmpfs("/work", 384<<20, false), tmpfs("/.drydock/run", 1<<20, true)},
	})
	is.Equal(c.maxProcesses(identity.Identity{UID: 7}), int64(0))                       // shared with others of that uid
	is.Equal(c.maxProcesses(identity.Identity{UID: 200001, Own: true}), int64(1024+16)) // of its own
}
