package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// marker begins a number among the arguments of every process that these tests start. The
// engine's list of processes, which does not go through the guest, finds them by it.
const marker = "31337."

// escape is a way for a program to escape an end by its pid or its process group. $M is the
// marker. The program says "up" once it has escaped, and its first process stays: a timeout does
// not end what an ended command has left behind.
type escape struct {
	name   string
	script string
	// rung is the expected Rung, or empty if it depends on luck.
	rung sandbox.Rung
	ups  int // how many say "up"
	// processes is how many there are at least once they are up.
	processes int
	batch     int    // how many at once
	pids      int64  // of the sandbox; 0 is the default
	times     [2]int // normally and in the long run; 32 and 1000 if not set
}

var escapes = []escape{
	{name: "ignores TERM", rung: sandbox.RungKill, ups: 1, processes: 2, batch: 8,
		script: `trap '' TERM; echo up; while :; do sleep $M; done`},
	{name: "setsid", rung: sandbox.RungTerm, ups: 1, processes: 2, batch: 8,
		script: `setsid sh -c 'echo up; exec sleep $0' $M & wait`},
	{name: "double fork", rung: sandbox.RungTerm, ups: 1, processes: 2, batch: 8,
		script: `(sh -c 'echo up; exec sleep $0' $M &); exec sleep $M`},
	{name: "setsid, double fork, env -i", rung: sandbox.RungKill, ups: 1, processes: 2, batch: 8,
		script: `(setsid env -i /bin/sh -c 'trap "" TERM; echo up; exec /bin/sleep $0' $M &); exec sleep $M`},
	{name: "holds stdout open", rung: sandbox.RungKill, ups: 1, processes: 2, batch: 8,
		script: `sh -c 'trap "" TERM; echo up; exec sleep $0' $M & exec sleep $M 1>&- 2>&-`},
	{name: "closes all descriptors", rung: sandbox.RungKill, ups: 1, processes: 1, batch: 8,
		script: `trap '' TERM; echo up; exec <&- >&- 2>&-; exec sleep $M`},
	{name: "fork tree 5 deep", rung: sandbox.RungTerm, ups: 32, processes: 63, batch: 4,
		script: `f() { if [ $1 = 0 ]; then echo up; else f $(($1-1)) & f $(($1-1)) & fi; exec sleep $M; }; f 5`},
	{name: "stops itself", rung: sandbox.RungTerm, ups: 1, processes: 2, batch: 8,
		script: `sh -c 'echo up; kill -STOP $$; exec sleep $0' $M & kill -STOP $$; exec sleep $M`},
	{name: "respawns on TERM", rung: sandbox.RungKill, ups: 2, processes: 2, batch: 8,
		script: `exec sh respawn $M`},
	{name: "fork bomb", ups: 1, processes: 60, batch: 1, pids: 100, times: [2]int{10, 1000},
		script: `awk -f bomb $M 2>/dev/null & echo up; exec sleep $M`},
	// As many as there can be by default.
	{name: "fork bomb of a thousand", ups: 1, processes: 500, batch: 1, pids: sandbox.DefaultPIDs, times: [2]int{2, 20},
		script: `awk -f bomb $M 2>/dev/null & echo up; exec sleep $M`},
}

// The files that the scripts use.
const (
	respawn = `trap 'setsid sh "$0" "$1" & exit' TERM; echo up; while :; do sleep "$1"; done`
	// A shell that cannot fork exits, and so would its bomb; awk goes on.
	bomb = `BEGIN { while (1) system("awk -f bomb " ARGV[1] " &") }`
)

// command makes the command that escapes.
func (e *escape) command(sb *sandbox.Sandbox, n string) *sandbox.Command {
	// The script is an argument of the shell and so of all that the shell forks.
	cmd := sb.Command("sh", "-c", strings.ReplaceAll(e.script, "$M", n))
	cmd.Grace = 100 * time.Millisecond
	if e.rung == sandbox.RungTerm {
		cmd.Grace = 10 * time.Second // which nothing waits for
	}
	return cmd
}

// top counts the processes with a marker as the engine sees them.
func top(t testing.TB, cli, name string) map[string]int {
	t.Helper()
	out, err := exec.Command(cli, "top", name, "-eo", "pid,args").CombinedOutput()
	if err != nil {
		t.Fatalf("%s top: %v: %s", cli, err, out)
	}
	found := make(map[string]int)
	for line := range strings.Lines(string(out)) {
		if _, rest, ok := strings.Cut(line, marker); ok {
			n := strings.IndexFunc(rest+" ", func(r rune) bool { return r < '0' || r > '9' })
			found[marker+rest[:n]]++
		}
	}
	return found
}

// bystander is another job of the sandbox: nothing that ends others may hurt it.
type bystander struct {
	cmd *sandbox.Command
	in  io.WriteCloser
	out io.ReadCloser
}

func newBystander(is *is.I, sb *sandbox.Sandbox, n string) *bystander {
	is.Helper()
	b := &bystander{}
	// A child and a grandchild in sessions of their own, so that there is more to be hurt.
	b.cmd = sb.Command("sh", "-c", `setsid sleep $0 & (setsid sleep $0 &); while read line; do echo "$line"; done`, n)
	var err error
	b.in, err = b.cmd.StdinPipe()
	is.NoErr(err)
	b.out, err = b.cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(b.cmd.Start(context.Background()))
	return b
}

// answers fails unless the bystander does.
func (b *bystander) answers(is *is.I) {
	is.Helper()
	_, err := io.WriteString(b.in, "well?\n")
	is.NoErr(err)
	got := make([]byte, len("well?\n"))
	_, err = io.ReadFull(b.out, got)
	is.NoErr(err)
	is.Equal(string(got), "well?\n")
}

// end ends it, and its children with it.
func (b *bystander) end(is *is.I) {
	is.Helper()
	b.answers(is)
	is.NoErr(b.cmd.Kill())
	r, err := b.cmd.Wait()
	is.NoErr(err)
	is.Equal(r.Outcome, sandbox.Canceled) // until then it was not touched
}

// A timeout ends all that came of a command, and nothing else. The 10,000 of the long run
// take some 18 minutes on two cores, a thousand fork bombs 6 of them.
func TestEscapes(t *testing.T) {
	_, cli := enginetest.Engine(t)
	number, total := 0, 0
	next := func() string { number++; return fmt.Sprint(marker, number) }
	for _, e := range escapes {
		t.Run(e.name, func(t *testing.T) {
			is := is.New(t)
			begin := time.Now()
			ctx := context.Background()
			times := e.times
			if times == [2]int{} {
				times = [2]int{32, 1000}
			}
			runs := times[0]
			if enginetest.Long() {
				runs = times[1]
			}
			sb := enginetest.Open(t, sandbox.Options{PIDs: e.pids})
			for name, text := range map[string]string{"respawn": respawn, "bomb": bomb} {
				_, err := sb.WriteFile(ctx, name, []byte(text), nil)
				is.NoErr(err)
			}
			others := next()
			other := newBystander(is, sb, others)
			is.NoErr(waitFor(func() bool { return top(t, cli, sb.Name())[others] == 3 })) // the look from outside finds them
			survivors := func() string {
				found := top(t, cli, sb.Name())
				is.Equal(found[others], 3) // nobody has hurt these
				delete(found, others)
				return fmt.Sprint(found)
			}

			// It is what it says: it gets away, and stays until it is ended.
			n := next()
			cmd := e.command(sb, n)
			is.NoErr(cmd.Start(ctx))
			is.NoErr(waitFor(func() bool { return top(t, cli, sb.Name())[n] >= e.processes }))
			is.NoErr(cmd.Kill())
			r, err := cmd.Wait()
			is.NoErr(err)
			is.Equal(r.Outcome, sandbox.Canceled)
			is.Equal(survivors(), "map[]")

			up := 0
			for remaining := runs; remaining > 0; remaining -= e.batch {
				batch := min(e.batch, remaining)
				results, errs := make([]*sandbox.Result, batch), make([]error, batch)
				var wg sync.WaitGroup
				for i := range batch {
					cmd := e.command(sb, next())
					// Some are ended while they still get away.
					cmd.Timeout = []time.Duration{200, 400, 20, 300, 100}[i%5] * time.Millisecond
					wg.Go(func() { results[i], errs[i] = cmd.Run(ctx) })
				}
				wg.Wait()
				for i, r := range results {
					is.NoErr(errs[i])
					is.Equal(r.Outcome, sandbox.TimedOut)
					is.True(r.Rung == sandbox.RungTerm || r.Rung == sandbox.RungKill)
					if strings.Count(string(r.Stdout), "up\n") >= e.ups {
						up++
						is.True(e.rung == "" || r.Rung == e.rung)
					}
				}
				is.Equal(survivors(), "map[]")
			}
			is.True(up > 0) // had got away when their time was up
			total += runs
			other.end(is)
			is.True(sb.Alive())
			t.Logf("%d in %v, %d of them had got away", runs, time.Since(begin).Round(time.Millisecond), up)
		})
	}
	t.Logf("%d in all", total)
}

// What is out to end its own sandbox can do so. Nothing that ran then has a result.
func TestHostile(t *testing.T) {
	debian := sandbox.Options{Image: "localhost/drydock/debian:bookworm"} // its shell knows the limit
	times := 2
	if enginetest.Long() {
		times = 50
	}
	for _, test := range []struct {
		name string
		opts sandbox.Options
		args []string
	}{
		{"kills all", sandbox.Options{}, []string{"sh", "-c", "kill -9 -1; sleep 60"}},
		{"stops all", sandbox.Options{}, []string{"sh", "-c", "kill -STOP -1; sleep 60"}},
		{"forges its tag", debian, []string{"sh", "-c", "ulimit -w 5; setsid sleep 60 & wait"}},
		{"forges none", debian, []string{"sh", "-c", "ulimit -w 0; setsid sleep 60 & wait"}},
		{"takes PID 1 its descriptors", python, []string{"python3", "-c", `
import resource, time
resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3))
time.sleep(60)`}},
		{"takes PID 1 its memory", python, []string{"python3", "-c", `
import resource, time
resource.prlimit(1, resource.RLIMIT_AS, (1, 1))
time.sleep(60)`}},
		{"takes PID 1 its cpu time", python, []string{"python3", "-c", `
import resource, time
resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))
time.sleep(60)`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range times {
				is := is.New(t)
				ctx := context.Background()
				sb := enginetest.Open(t, test.opts)
				var victims []*sandbox.Command
				for i := range 5 {
					cmd := sb.Command("sh", "-c", "echo kept; mkdir up/$0 -p; sleep 60; echo never", fmt.Sprint(i))
					is.NoErr(cmd.Start(ctx))
					victims = append(victims, cmd)
				}
				is.NoErr(waitFor(func() bool { all, _ := sb.ReadDir(ctx, "up"); return len(all) == 5 }))
				hostile := sb.Command(test.args[0], test.args[1:]...)
				hostile.Timeout = 200 * time.Millisecond // of one that only hides from it
				is.NoErr(hostile.Start(ctx))
				// Whoever starts commands meanwhile gets an error and no result that is not true.
				is.NoErr(waitFor(func() bool {
					r, err := sb.Exec(ctx, "echo true")
					is.True(err != nil || r.OK() && string(r.Stdout) == "true\n")
					return err != nil
				}))
				for _, cmd := range append(victims, hostile) {
					r, err := cmd.Wait()
					is.True(errors.Is(err, sandbox.ErrLost))
					is.Equal(r.Outcome, sandbox.Lost)
					is.Equal(r.ExitCode, -1)
					if cmd != hostile {
						is.Equal(string(r.Stdout), "kept\n")
					}
				}
				is.True(errors.Is(sb.Err(), sandbox.ErrLost))
			}
		})
	}
}
