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

// A named sandbox with a lease outlives the process that opened it, with its files and
// what runs in it, and whoever knows its name gets it back.
func TestLeaseOutlivesItsProcess(t *testing.T) {
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	const times = 20
	var slowest time.Duration
	for i := range times {
		is := is.New(t)
		name := fmt.Sprintf("drydock-test-lease-%d-%d", time.Now().UnixNano(), i)
		t.Cleanup(func() { _ = e.Remove(context.Background(), name) })
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"="+name)
		out, err := cmd.StdoutPipe()
		is.NoErr(err)
		is.NoErr(cmd.Start())
		line := make([]byte, 300)
		n, _ := out.Read(line)
		is.Equal(strings.TrimSpace(string(line[:n])), name)
		is.NoErr(cmd.Process.Kill())
		_ = cmd.Wait()

		start := time.Now()
		sb, err := sandbox.Adopt(ctx, name, &sandbox.Options{Engine: e})
		is.NoErr(err)
		slowest = max(slowest, time.Since(start))
		text, err := sb.ReadFile(ctx, "kept", nil)
		is.NoErr(err)
		is.Equal(string(text), "by "+name) // the file
		r, err := sb.Exec(ctx, "ps -o args | grep -c '^sleep 6[0]00'; echo $LEFT; pwd")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "1\nbehind\n/workspace\n") // the job, the environment, the work dir
		is.NoErr(waitFor(func() bool {
			r, err := sb.Exec(ctx, "ps -o args | grep -c '^sleep 7[0]00'")
			return err == nil && string(r.Stdout) == "0\n"
		})) // the command whose result nobody can hear has been ended
		jobs, err := sb.Jobs(ctx)
		is.NoErr(err)
		is.Equal(len(jobs), 1)
		is.True(jobs[0].Running)
		is.NoErr(sb.Close())
		is.Equal(enginetest.Containers(t, cli, name), 0)
	}
	t.Logf("%d of %d found again, the slowest after %v", times, times, slowest)
}

// leaveSandbox is the process that is killed: it opens a named sandbox, leaves a file, a
// job and a command in it, says its name and sleeps.
func leaveSandbox(name string) {
	ctx := context.Background()
	opts := options()
	opts.Name, opts.Lease, opts.Env = name, time.Minute, map[string]string{"LEFT": "behind"}
	sb, err := sandbox.Open(ctx, opts)
	if err == nil {
		_, err = sb.WriteFile(ctx, "kept", []byte("by "+name), nil)
	}
	if err == nil {
		_, err = sb.Command("sleep", "6000").Background(ctx, nil)
	}
	if err == nil {
		err = sb.Command("sleep", "7000").Start(ctx)
	}
	if err == nil {
		_, err = sb.Exec(ctx, "until ps -o args | grep -q '^sleep 7[0]00'; do sleep 0.01; done")
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(name)
	select {}
}

func TestDetachAndAttach(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{Lease: 3 * time.Second})
	uid, gid := sb.User()
	_, err := sb.WriteFile(ctx, "f", []byte("x"), nil)
	is.NoErr(err)
	is.NoErr(sb.Detach())
	is.Equal(sb.Err(), sandbox.ErrClosed)
	is.Equal(enginetest.Containers(t, cli, sb.Name()), 1)

	again, err := sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
	is.NoErr(err)
	u, g := again.User()
	is.Equal([]int{u, g}, []int{uid, gid})
	is.Equal(again.WorkDir(), "/workspace")
	_, err = again.ReadFile(ctx, "f", nil)
	is.NoErr(err)

	// The newest wins.
	newest, err := sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
	is.NoErr(err)
	<-again.Done()
	is.True(errors.Is(again.Err(), sandbox.ErrLost))
	_, err = newest.Exec(ctx, "true")
	is.NoErr(err)

	// In use it does not expire; left alone it does.
	r, err := newest.Exec(ctx, "sleep 4; echo still here")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "still here\n")
	is.NoErr(newest.Detach())
	is.NoErr(waitFor(func() bool { return enginetest.Containers(t, cli, sb.Name()) == 0 }))
	_, err = sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
	is.True(err != nil)
	t.Log(err)
}

func TestAttachRefused(t *testing.T) {
	e, _ := enginetest.Engine(t)
	plain := enginetest.Open(t, sandbox.Options{})
	for _, test := range []struct{ name, text string }{
		{"no-such-sandbox", "no such container"},
		{"-x", `"-x" is no container's name`},
		{plain.Name(), "this sandbox has no lease"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			_, err := sandbox.Adopt(context.Background(), test.name, &sandbox.Options{Engine: e})
			is.True(err != nil)
			is.True(strings.Contains(strings.ToLower(err.Error()), strings.ToLower(test.text)))
		})
	}
	is := is.New(t)
	r, err := plain.Exec(context.Background(), "echo unharmed")
	is.NoErr(err)
	is.Equal(string(r.Stdout), "unharmed\n")
}

// A process inside cannot pose as the host, however it is started.
func TestConnectFromInside(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{Lease: time.Minute})
	hello := `printf '\000\000\000\002\001\000\000\000\000{}'; sleep 1`
	for _, how := range []string{"(%s) | /.drydock/guest connect", "(%s) | setsid /.drydock/guest connect", "((%s) | /.drydock/guest connect) & wait"} {
		r, err := sb.Exec(ctx, "("+fmt.Sprintf(how, hello)+") | wc -c")
		is.NoErr(err)                                      // the true host's connection goes on
		is.Equal(strings.TrimSpace(string(r.Stdout)), "0") // and the false one hears nothing
	}
}

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
	volumes := func() int {
		out, err := exec.Command(cli, "volume", "ls", "--quiet").Output()
		is.NoErr(err)
		return strings.Count(string(out), "\n")
	}
	before := volumes()
	removed, err := sandbox.Sweep(ctx, e)
	is.NoErr(err)
	for _, name := range gone {
		is.True(strings.Contains(strings.Join(removed, " "), name))
		is.Equal(enginetest.Containers(t, cli, name), 0)
	}
	for _, name := range stays {
		is.Equal(enginetest.Containers(t, cli, name), 1)
	}
	is.Equal(volumes(), before-1)
	_, err = live.Exec(ctx, "true")
	is.NoErr(err)
}

func TestStats(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{Memory: 256 << 20, PIDs: 64})
	_, err := sb.Stats(ctx)
	is.NoErr(err)
	r, err := sb.Exec(ctx, "head -c 30000000 /dev/zero > blob; timeout 1 sh -c 'while :; do :; done'; sleep 100 >/dev/null 2>&1 &")
	is.NoErr(err)
	_ = r
	is.NoErr(waitFor(func() bool { i, err := sb.Stat(ctx, "blob"); return err == nil && i.Size() == 30000000 }))
	cmd := sb.Command("timeout", "1", "sh", "-c", "while :; do :; done")
	_, err = sb.Stats(ctx)
	is.NoErr(err)
	_, err = cmd.Run(ctx)
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
	is.True(s.CPUPercent > 10 && s.CPUPercent < 250) // one cpu was busy, as far as others let it
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

func TestIdle(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	is.True(sb.Alive())
	cmd := sb.Command("sleep", "0.3")
	is.NoErr(cmd.Start(ctx))
	is.Equal(sb.Idle(), time.Duration(0)) // a command runs
	_, err := cmd.Wait()
	is.NoErr(err)
	time.Sleep(20 * time.Millisecond)
	idle := sb.Idle()
	is.True(idle >= 20*time.Millisecond && idle < 10*time.Second)
	is.NoErr(sb.Close())
	is.True(!sb.Alive())
}

// With a lease the channel runs through a second process of the guest, which is as closed
// to the jobs as PID 1 is, from its first instruction on.
func TestChannelOfALease(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{Lease: time.Minute})
	r, err := sb.Exec(ctx, `for p in /proc/[0-9]*; do
		[ "$(cat $p/comm)" = connect ] && { echo found; ls $p/fd; cat $p/environ; echo x > $p/fd/1; }; done`)
	is.NoErr(err)
	is.Equal(string(r.Stdout), "found\n")
	is.True(strings.Count(string(r.Stderr), "ermission denied") >= 3)

	// A job that lies in wait for the next one has no moment to get in.
	spy := `while :; do for p in /proc/[0-9]*; do
		[ "$(cat $p/comm 2>/dev/null)" = connect ] && ls $p/fd >> /tmp/seen; done; done 2>/dev/null`
	is.NoErr(sb.Command("sh", "-c", spy).Start(ctx))
	for range 3 {
		is.NoErr(sb.Detach())
		sb, err = sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
		is.NoErr(err)
	}
	seen, _ := sb.ReadFile(ctx, "/tmp/seen", nil) // which is there once something was seen
	is.Equal(string(seen), "")
	is.NoErr(sb.Close())
}
