package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Host directories and volumes are mounted as asked, for the user who runs inside.
func TestMounts(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	work, data := t.TempDir(), t.TempDir()
	is.NoErr(os.WriteFile(data+"/in", []byte("from the host"), 0o644))
	is.NoErr(os.Chmod(data, 0o755))
	volume := fmt.Sprint("drydock-test-", time.Now().UnixNano())
	t.Cleanup(func() { exec.Command(cli, "volume", "rm", "--force", volume).Run() })
	sb := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{
		{Source: work, Target: "/workspace"},
		{Source: data, Target: "/data", ReadOnly: true},
		{Source: volume, Target: "/keep"},
	}})
	ctx := context.Background()
	r, err := sb.Exec(ctx, "cat /data/in; echo x > out; touch /data/no; mount | grep -c ' /keep '")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "from the host1\n")
	is.True(strings.Contains(string(r.Stderr), "Read-only file system"))
	b, err := os.ReadFile(work + "/out")
	is.NoErr(err)
	is.Equal(string(b), "x\n")

	// A volume is its user's from the start, and says whose it is.
	r, err = sb.Exec(ctx, "echo kept > /keep/f && stat -c %u /keep")
	is.NoErr(err)
	who, _ := sb.User()
	is.Equal(string(r.Stdout), fmt.Sprintln(who))
	alone := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{{Source: volume, Target: "/workspace"}}})
	r, err = alone.Exec(ctx, "cat f; echo more >> f; id -u")
	is.NoErr(err)
	is.Equal(string(r.Stdout), fmt.Sprint("kept\n", who, "\n"))
	readonly := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{{Source: volume, Target: "/v", ReadOnly: true}}})
	r, err = readonly.Exec(ctx, "cat /v/f; touch /v/g")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "kept\nmore\n")
	is.True(strings.Contains(string(r.Stderr), "Read-only file system"))

	// The work dir's owner is the record of who runs there, also the next time.
	uid, _ := sb.User()
	is.NoErr(sb.Close())
	is.NoErr(alone.Close())
	again := enginetest.Open(t, sandbox.Options{Mounts: []sandbox.Mount{{Source: work, Target: "/workspace"}}})
	next, _ := again.User()
	is.Equal(next, uid)
	_, err = again.WriteFile(ctx, "out", []byte("y"), nil)
	is.NoErr(err)
}
