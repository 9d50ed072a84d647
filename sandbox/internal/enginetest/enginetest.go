// Package enginetest has what the library's own tests need of a real engine. It is imported
// by tests only.
package enginetest

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
)

// The images that scripts/setup makes.
const (
	Busybox = "localhost/drydock/busybox:1"       // small, with a shell
	Static  = "localhost/drydock/static:1"        // a single program and nothing else
	Python  = "localhost/drydock/python:bookworm" // with pip
)

// Engine returns the engine to test on and its command line. scripts/test names it; a run
// without one skips the test.
func Engine(t testing.TB) (*engine.CLI, string) {
	t.Helper()
	path := os.Getenv(sandboxtest.EnvEngine)
	if path == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine: run scripts/test")
	}
	return engines(path), path
}

// Here returns the engine of a process that a test has started.
func Here() *engine.CLI { return engines(os.Getenv(sandboxtest.EnvEngine)) }

// engines keeps one engine for each path, so that it is probed once.
var engines = func() func(string) *engine.CLI {
	var mu sync.Mutex
	made := make(map[string]*engine.CLI)
	return func(path string) *engine.CLI {
		mu.Lock()
		defer mu.Unlock()
		if made[path] == nil {
			made[path] = engine.Docker(&dockercli.Client{Path: path})
		}
		return made[path]
	}
}()

// Open opens a sandbox, by default on Busybox, that ends with the test. The test fails if
// the container is still there then.
func Open(t testing.TB, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	e, cli := Engine(t)
	o.Engine = e
	if o.Image+o.Runtime+o.Snapshot == "" {
		o.Image = Busybox
	}
	name := ""
	t.Cleanup(func() {
		if name != "" && Containers(t, cli, name) != 0 {
			t.Errorf("container %s is still there", name)
		}
	})
	sb := sandboxtest.New(t, &sandboxtest.Options{Options: o})
	name = sb.Name()
	return sb
}

// Containers counts the containers, running or not, whose name begins with prefix.
func Containers(t testing.TB, cli, prefix string) int {
	t.Helper()
	all, err := engines(cli).List(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range all {
		if strings.HasPrefix(c.Name, prefix) {
			n++
		}
	}
	return n
}

// Long reports whether the tests that take minutes are wanted.
func Long() bool { return os.Getenv("DRYDOCK_TEST_LONG") != "" }
