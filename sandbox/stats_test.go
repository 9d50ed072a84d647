package sandbox_test

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Stats agrees with what the engine counts.
func TestStats(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{Memory: 256 << 20, PIDs: 64})
	_, err := sb.Stats(ctx)
	is.NoErr(err)
	_, err = sb.Exec(ctx, "head -c 30000000 /dev/zero > blob; timeout 1 sh -c 'while :; do :; done'; sleep 100 >/dev/null 2>&1 &")
	is.NoErr(err)
	is.NoErr(waitFor(func() bool { i, err := sb.Stat(ctx, "blob"); return err == nil && i.Size() == 30000000 }))
	cmd := sb.Command("timeout", "1", "sh", "-c", "while :; do :; done")
	busy := time.Now()
	_, err = sb.Stats(ctx)
	is.NoErr(err)
	r, err := cmd.Run(ctx)
	is.NoErr(err)
	start := time.Now()
	s, err := sb.Stats(ctx)
	took := time.Since(start)
	is.NoErr(err)
	t.Logf("%+v in %v", *s, took)
	is.Equal(s.MemoryLimit, int64(256<<20))
	is.Equal(s.PIDsLimit, int64(64+32))              // with the guest's room
	is.True(s.Memory > 30<<20 && s.Memory < 256<<20) // the tmpfs counts
	is.True(s.PIDs >= 2)
	// The command's share, however much of a cpu the machine's other programs leave it.
	share := 100 * float64(r.UserTime+r.SystemTime) / float64(start.Add(took).Sub(busy))
	is.True(s.CPUPercent > 0.8*share && s.CPUPercent < 250)
	is.True(s.DiskUsed >= 30000000 && s.DiskSize == 96<<20)
	out, err := exec.Command(cli, "stats", "--no-stream", "--format={{.PIDs}} {{.MemUsage}}", sb.Name()).Output()
	is.NoErr(err)
	after, err := sb.Stats(ctx)
	is.NoErr(err)
	// Such as "5 33.1MiB / 256MiB", and "MB" of podman.
	var pids, used float64
	var unit string
	_, err = fmt.Sscanf(string(out), "%f %f%s", &pids, &used, &unit)
	is.NoErr(err)
	used *= map[string]float64{"MiB": 1 << 20, "MB": 1e6}[unit]
	is.Equal(int64(pids), after.PIDs) // as the engine counts
	is.True(used > 0.9*float64(after.Memory) && used < 1.1*float64(after.Memory)+1<<20)
}
