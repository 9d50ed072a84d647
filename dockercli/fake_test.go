package dockercli

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// The test binary is its own fake engine: run with fakeVar set to a directory, it records
// its argv and environment there and plays the reply scripted for its first argument.
const fakeVar = "DRYDOCK_FAKE_ENGINE"

type reply struct {
	Stdout, Stderr string
	Exit           int
	Sleep          time.Duration
	IgnoreTerm     bool
	Echo           bool // copy stdin to stdout
	Flood          int  // bytes of stdout
}

type record struct {
	Args, Env []string
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(fakeVar); dir != "" {
		os.Exit(playFake(dir))
	}
	flag.Parse()
	if skip := flag.Lookup("test.skip"); os.Getenv(engineVar) == "" && skip.Value.String() == "" {
		// These examples need an engine, and an example cannot skip itself.
		if err := skip.Value.Set("^Example.*_engine$"); err != nil {
			panic(err)
		}
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // the fuzzing engine keeps a goroutine of its own
	}
	for deadline := time.Now().Add(3 * time.Second); code == 0; time.Sleep(20 * time.Millisecond) {
		if runtime.NumGoroutine() <= goroutines && openFiles() <= files+fuzzFiles {
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "leak: goroutines %d -> %d, files %d -> %d\n",
				goroutines, runtime.NumGoroutine(), files, openFiles())
			buf := make([]byte, 1<<20)
			os.Stderr.Write(buf[:runtime.Stack(buf, true)])
			code = 1
		}
	}
	os.Exit(code)
}

// fuzzFiles allows for the runtime's poller and the testing package's own descriptors.
const fuzzFiles = 4

func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func playFake(dir string) int {
	rec, _ := json.Marshal(record{os.Args[1:], os.Environ()})
	name := fmt.Sprintf("call-%d", os.Getpid())
	if err := os.WriteFile(filepath.Join(dir, "new-"+name), rec, 0o600); err != nil {
		panic(err)
	}
	os.Rename(filepath.Join(dir, "new-"+name), filepath.Join(dir, name)) // whole or not at all
	var replies map[string]reply
	b, _ := os.ReadFile(filepath.Join(dir, "replies"))
	if err := json.Unmarshal(b, &replies); err != nil {
		panic(err)
	}
	r := replies[os.Args[1]]
	if r.IgnoreTerm {
		signal.Ignore(syscall.SIGTERM)
	}
	fmt.Fprint(os.Stdout, r.Stdout)
	fmt.Fprint(os.Stderr, r.Stderr)
	if r.Echo {
		io.Copy(os.Stdout, os.Stdin)
	}
	if r.Flood > 0 {
		os.Stdout.WriteString(strings.Repeat("x", r.Flood))
	}
	time.Sleep(r.Sleep)
	return r.Exit
}

// fake returns a client of a fake engine, and a function that returns the calls so far.
func fake(t *testing.T, replies map[string]reply) (*Client, func() []record) {
	t.Helper()
	dir := t.TempDir()
	b, err := json.Marshal(replies)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "replies"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	calls := func() []record {
		names, _ := filepath.Glob(filepath.Join(dir, "call-*"))
		var out []record
		for _, n := range names {
			var r record
			b, _ := os.ReadFile(n)
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	return &Client{Path: self, Env: []string{
		fakeVar + "=" + dir, "GORACE=atexit_sleep_ms=0", // else each exit takes a second
	}}, calls
}

func equalArgs(is *is.I, got []string, want ...string) {
	is.Helper()
	if !slices.Equal(got, want) {
		is.Equal(strings.Join(got, "\n"), strings.Join(want, "\n")) // argv
	}
}
