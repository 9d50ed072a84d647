package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Sweep removes what dead processes left, and nothing of living ones.
func TestSweep(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	id := time.Now().UnixNano()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	is.NoErr(err)
	dead := strings.TrimSpace(string(boot)) + ":999999999:1"
	make := func(name, owner, created string, args ...string) string {
		name = fmt.Sprintf("drydock-test-sweep-%d-%s", id, name)
		args = append(args, "--name="+name, "--label="+engine.LabelKind+"=sandbox", "--label="+engine.LabelOwner+"="+owner,
			"--label="+engine.LabelCreated+"="+created, enginetest.Busybox, "sleep", "600")
		out, err := exec.Command(cli, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Cleanup(func() { _ = e.Remove(context.Background(), name) })
		return name
	}
	now, old := time.Now().UTC().Format(time.RFC3339), "2020-01-01T00:00:00Z"
	live := enginetest.Open(t, sandbox.Options{})
	raw, err := exec.Command(cli, "inspect", "--format={{index .Config.Labels \""+engine.LabelOwner+"\"}}", live.Name()).Output()
	is.NoErr(err)
	mine := strings.TrimSpace(string(raw))

	gone := []string{
		make("created", dead, now, "create"),
		make("created-volume", dead, now, "create", "--volume=/data"),
		make("paused", dead, now, "run", "--detach"),
		make("exited", dead, now, "run", "--detach"),
		make("other-boot-old", "another-boot:1:1", old, "create"),
	}
	stays := []string{
		make("mine", mine, now, "create"),
		make("other-boot", "another-boot:1:1", now, "create"),
		make("running", dead, now, "run", "--detach"),
		make("leased-paused", dead, now, "run", "--detach", "--label="+engine.LabelLease+"=1h0m0s"),
		make("strange", "nonsense", now, "create"),
		live.Name(),
	}
	for _, name := range []string{gone[2], stays[3]} {
		is.NoErr(exec.Command(cli, "pause", name).Run())
	}
	is.NoErr(exec.Command(cli, "kill", gone[3]).Run())
	raw, err = exec.Command(cli, "inspect", "--format={{(index .Mounts 0).Name}}", gone[1]).Output()
	// Any Drydock process on this engine may be faster: then it has swept them.
	volume := strings.TrimSpace(string(raw))
	is.True(err == nil && volume != "" || enginetest.Containers(t, cli, gone[1]) == 0)
	_, err = sandbox.Sweep(ctx, e)
	is.NoErr(err)
	for _, name := range gone {
		is.NoErr(waitFor(func() bool { return enginetest.Containers(t, cli, name) == 0 }))
	}
	for _, name := range stays {
		is.Equal(enginetest.Containers(t, cli, name), 1)
	}
	if volume != "" {
		_, err = e.VolumeLabels(ctx, volume)
		is.True(errors.Is(err, engine.ErrNoVolume)) // it went with its container
	}
	_, err = live.Exec(ctx, "true")
	is.NoErr(err)
}
