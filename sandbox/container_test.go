package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// A sandbox has no root, capabilities, network or writable root, and is held to its limits.
func TestIsolation(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	sb := enginetest.Open(t, sandbox.Options{Memory: 256 << 20, CPUs: 1000, PIDs: 99})
	ctx := context.Background()

	r, err := sb.Exec(ctx, `id -u; cat /proc/self/status; ls /sys/class/net; touch /no; ulimit -c
		touch here ~/here /tmp/here && cp /bin/busybox ~/busybox && ~/busybox true && echo writable`)
	is.NoErr(err)
	out := string(r.Stdout)
	uid, _ := sb.User()
	is.True(strings.HasPrefix(out, fmt.Sprint(uid, "\n")))      // the guest's hello tells the uid
	is.True(uid != 0 || os.Getuid() != 0)                       // not root inside
	is.True(strings.Contains(out, "CapBnd:\t0000000000000000")) // no capability can be had
	is.True(strings.Contains(out, "NoNewPrivs:\t1"))
	is.True(strings.Contains(out, "Seccomp:\t2"))
	is.True(strings.Contains(out, "\nlo\n") && !strings.Contains(out, "eth0"))
	is.True(strings.Contains(string(r.Stderr), "/no: Read-only file system"))
	is.True(strings.Contains(out, "writable\n"))

	// What the engine says it applied.
	raw, err := exec.Command(cli, "inspect", sb.Name()).Output()
	is.NoErr(err)
	var all []struct {
		HostConfig struct {
			Memory, MemorySwap, NanoCpus, PidsLimit int64
			ReadonlyRootfs, AutoRemove, Privileged  bool
			NetworkMode, IpcMode                    string
			LogConfig                               struct{ Type string }
			RestartPolicy                           struct{ Name string }
		}
		Config struct{ Labels map[string]string }
	}
	is.NoErr(json.Unmarshal(raw, &all))
	h := all[0].HostConfig
	is.Equal(h.Memory, int64(256<<20))
	is.Equal(h.MemorySwap, int64(256<<20))
	is.Equal(h.PidsLimit, int64(99+32)) // with the guest's room
	info, err := enginetest.Here().Info(ctx)
	is.NoErr(err)
	is.Equal(h.NanoCpus, int64(info.CPUs)*1e9) // clamped to what there is
	is.True(h.ReadonlyRootfs && h.AutoRemove && !h.Privileged)
	is.Equal(h.NetworkMode, "none")
	is.Equal(h.LogConfig.Type, "none")
	is.Equal(all[0].Config.Labels[engine.LabelKind], "sandbox")
	is.Equal(strings.Count(all[0].Config.Labels[engine.LabelOwner], ":"), 2)
}

func TestFurtherLimits(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{
		Tmpfs:   map[string]int64{"/cache": 1 << 20, "/tmp": 2 << 20},
		Ulimits: map[string]engine.Ulimit{"nofile": {Soft: 100, Hard: 200}},
		Network: "bridge",
	})
	r, err := sb.Exec(context.Background(), `ulimit -n; df -k /cache | awk 'END{print $2}'; df -k /tmp | awk 'END{print $2}'
		touch /cache/x /tmp/x && ls /sys/class/net | grep -c eth0; head -c 3000000 /dev/zero > /cache/big || echo full`)
	is.NoErr(err)
	is.Equal(string(r.Stdout), "100\n1024\n2048\n1\nfull\n") // an error of the write, and nobody died
}

func TestAccount(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Env: map[string]string{"GREETING": "a b$c\n'd'"}})
	r, err := sb.Exec(context.Background(), `whoami; echo "$HOME $USER"; pwd; echo "$GREETING"; stat -c %U .`)
	is.NoErr(err)
	is.Equal(string(r.Stdout), "sandbox\n/home/sandbox sandbox\n/workspace\na b$c\n'd'\nsandbox\n")
}

// With an explicit user the account file has no entry to add for a number it knows.
func TestUser(t *testing.T) {
	for _, test := range []struct{ user, want string }{
		{"1234", "1234 1234"},
		{"1234:5678", "1234 5678"},
		{"0:0", "0 0"},
		{"root", "0 0"},
	} {
		t.Run(test.user, func(t *testing.T) {
			is := is.New(t)
			sb := enginetest.Open(t, sandbox.Options{User: test.user})
			r, err := sb.Exec(context.Background(), "echo $(id -u) $(id -g); touch ~/x /tmp/x ./x && echo ok")
			is.NoErr(err)
			is.Equal(string(r.Stdout), test.want+"\nok\n")
		})
	}
}

func TestLimitsAtTheirEnds(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Memory: 64 << 20})
	ctx := context.Background()
	cmd := sb.Command("sleep", "0.2")
	cmd.Timeout, cmd.Grace = math.MaxInt64, math.MaxInt64
	r, err := cmd.Run(ctx)
	is.NoErr(err)
	is.True(r.OK())

	// Full file systems are errors of the writes, and the sandbox lives.
	block, full := bytes.Repeat([]byte("x"), 1<<20), 0
	for _, dir := range []string{".", "/home/sandbox", "/tmp"} {
		for i := range 64 {
			_, err := sb.WriteFile(ctx, fmt.Sprintf("%s/f%d", dir, i), block, nil)
			if e, ok := errors.AsType[*sandbox.Error](err); ok {
				is.Equal(e.Code, sandbox.CodeNoSpace)
				full++
				break
			}
		}
	}
	is.Equal(full, 3)
	_, err = sb.Exec(ctx, "true")
	is.NoErr(err)
}
