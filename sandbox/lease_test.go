package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// A sandbox with a lease outlives the process that opened it, with its files and processes, and
// is adopted by its name.
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
		})) // the command has ended, since its result could reach nobody
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

// A sandbox that was left with a lease goes on, is taken over by name, and ends with its lease.
func TestDetachAndAdopt(t *testing.T) {
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
// Relative paths start at the work dir that it was opened with, whatever the defaults are.
func TestDownloadOfAdopted(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	sb := enginetest.Open(t, sandbox.Options{WorkDir: "/data/p", Lease: time.Minute})
	_, err := sb.WriteFile(ctx, "d/f", []byte("x"), nil)
	is.NoErr(err)
	is.NoErr(sb.Detach())
	sb, err = sandbox.Adopt(ctx, sb.Name(), &sandbox.Options{Engine: e})
	is.NoErr(err)
	defer sb.Close()
	dir := t.TempDir()
	for _, src := range []string{"d", "."} {
		_, err = sb.Download(ctx, src, dir+"/", nil)
		is.NoErr(err)
	}
	for _, name := range []string{"d/f", "p/d/f"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		is.NoErr(err)
		is.Equal(string(text), "x")
	}
}

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
