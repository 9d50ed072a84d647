package sandboxtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// EnvEngine is the environment variable that names the engine's command line, such as
// "podman". If it is set, a test that finds no engine fails, as with Options.Require.
const EnvEngine = "DRYDOCK_TEST_ENGINE"

// Options are the options of New and NewNetwork; nil is all defaults.
type Options struct {
	// Options are the options of the sandbox. By default Name is the test's name and random
	// letters, Engine is the one that EnvEngine names or else the docker found in PATH, and
	// Logger writes to the test's log.
	sandbox.Options
	// Require fails the test if there is no engine. Default: the test is skipped.
	Require bool
}

// New opens a sandbox that ends with the test. If it cannot be opened, the test fails.
func New(t testing.TB, opts *Options) *sandbox.Sandbox {
	t.Helper()
	o := orZero(opts)
	return open(t, o.Options, findEngine(t, &o.Options, o.Require))
}

func open(t testing.TB, o sandbox.Options, e engine.Engine) *sandbox.Sandbox {
	t.Helper()
	o.Engine = e
	o.Name = cmp.Or(o.Name, nameFor(t))
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	var sb *sandbox.Sandbox
	t.Cleanup(func() {
		if sb == nil {
			return // Open failed and left nothing behind
		}
		if t.Failed() {
			dump(t, sb)
		}
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	var err error
	if sb, err = sandbox.Open(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	return sb
}

// NewNetwork makes a private network and returns its name, for Options.Network of the sandboxes
// that are opened after it. It ends with the test, after those sandboxes. Of the options only
// Engine, Images.Engine, Name and Require count.
func NewNetwork(t testing.TB, opts *Options) string {
	t.Helper()
	o := orZero(opts)
	n, err := sandbox.CreateNetwork(t.Context(), &sandbox.NetworkOptions{
		Name: cmp.Or(o.Name, nameFor(t)), Engine: findEngine(t, &o.Options, o.Require)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n.Name()
}

// orZero returns the options, or all defaults if there are none.
func orZero[T any](opts *T) T {
	if opts == nil {
		return *new(T)
	}
	return *opts
}

// fromEnv returns the engine that EnvEngine names. The process has one, so that it is probed
// once.
var fromEnv = sync.OnceValue(func() *engine.CLI {
	return engine.Docker(&dockercli.Client{Path: os.Getenv(EnvEngine)})
})

// findEngine returns the engine to use, or ends the test if there is none.
func findEngine(t testing.TB, o *sandbox.Options, require bool) engine.Engine {
	t.Helper()
	e := o.Engine
	if e == nil && o.Images != nil {
		e = o.Images.Engine
	}
	if e == nil {
		e = fromEnv()
	}
	_, err := e.Info(t.Context())
	switch {
	case err == nil:
	case require || os.Getenv(EnvEngine) != "":
		t.Fatal("this test needs a container engine: ", err)
	default:
		t.Skip("no container engine: ", err)
	}
	return e
}

// nameFor returns a name for a container of the test. It is a valid host name as well.
func nameFor(t testing.TB) string {
	const maxName = 40
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	clean = strings.Trim(clean[:min(len(clean), maxName)], "-")
	return cmp.Or(clean, "test") + "-" + strings.ToLower(rand.Text()[:10])
}

// maxDumped is how many bytes of each job's output go to the log of a failed test.
const maxDumped = 16 << 10

// dump logs the output of the background jobs of a sandbox.
func dump(t testing.TB, sb *sandbox.Sandbox) {
	// The test's own context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	jobs, err := sb.Jobs(ctx)
	if err != nil {
		t.Logf("the jobs of %s cannot be listed: %v", sb.Name(), err)
	}
	for _, j := range jobs {
		t.Logf("%s, job %d %q, %s:\n%s", sb.Name(), j.ID, j.Args, state(j), tail(ctx, sb.Job(j.ID), maxDumped))
	}
}

func state(j sandbox.JobInfo) string {
	if j.Running {
		return "running"
	}
	return ending(j.Result)
}

// ending says how a command ended.
func ending(r *sandbox.Result) string {
	if r.Outcome == sandbox.Exited {
		return fmt.Sprint("exited with ", r.ExitCode)
	}
	return strings.TrimSpace(fmt.Sprint(r.Outcome, " ", r.Signal))
}

// tail returns the last n bytes of a job's output, without control characters that would steer
// a terminal.
func tail(ctx context.Context, j *sandbox.Job, n int64) string {
	info, err := j.Info(ctx)
	var b bytes.Buffer
	if err == nil {
		from := max(info.First, info.Next-n)
		if from > 0 {
			fmt.Fprintf(&b, "[%d bytes before]\n", from)
		}
		_, err = j.Attach(ctx, &b, &sandbox.JobAttachOptions{From: from})
	}
	if err != nil {
		fmt.Fprintf(&b, "[%v]", err)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, b.String())
}
