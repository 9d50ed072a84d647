package tools_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/tools"
)

// openEngine opens a sandbox on the engine that scripts/test names; a run without one has
// only the tests that need none.
func openEngine(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	cli := os.Getenv("DRYDOCK_TEST_ENGINE")
	if cli == "" {
		t.Skip("DRYDOCK_TEST_ENGINE names no engine: run scripts/test")
	}
	sb, err := sandbox.Open(context.Background(), &sandbox.Options{
		Image: "localhost/drydock/busybox:1", Engine: sandbox.Docker(&dockercli.Client{Path: cli}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// caller returns how to call the tools of a new Set.
func caller(t *testing.T, sb tools.Sandbox, opts *tools.Options) func(name, args string) *tools.Result {
	t.Helper()
	set, err := tools.New(sb, opts)
	if err != nil {
		t.Fatal(err)
	}
	return func(name, args string) *tools.Result {
		t.Helper()
		r, err := set.Call(context.Background(), name, json.RawMessage(args))
		if err != nil {
			t.Fatalf("%s %s: %v", name, args, err)
		}
		return r
	}
}

func TestEngine(t *testing.T) {
	is := is.New(t)
	sb := openEngine(t)
	use := caller(t, sb, &tools.Options{Permissions: tools.Permissive(), Env: []string{"WHO=tools"}})

	is.Equal(use("write_file", `{"path":"sub/a b.txt","content":"one\ntwo\nthree\n"}`).Text, "created sub/a b.txt: 3 lines, 14 bytes")
	is.Equal(use("read_file", `{"path":"sub/a b.txt","offset":2,"limit":1}`).Text, "     2\ttwo\n[lines 2 to 2 of 3; use read_file with offset 3 to go on]")
	is.Equal(use("edit_file", `{"path":"/workspace/sub/../sub/a b.txt","old_string":"two","new_string":"2"}`).Text,
		"edited /workspace/sub/../sub/a b.txt: 1 replacement\n     1\tone\n     2\t2\n     3\tthree")
	r := use("execute", `{"command":"cat 'sub/a b.txt'; echo $WHO >&2; echo last; exit 3"}`)
	is.Equal(r.Text, "one\n2\nthree\ntools\nlast\n[exit code 3]")
	is.True(r.IsError)
	use("execute", `{"command":"echo more >>'sub/a b.txt'; ln -s 'sub/a b.txt' to; ln -s sub dir; printf 'KEY=1' >.env; ln -s .env safe; printf '\\0' >bin"}`)
	r = use("edit_file", `{"path":"to","old_string":"one","new_string":"1"}`)
	is.Equal(r.Text, "to has changed since you read it: read it again with read_file, then edit it")
	r = use("write_file", `{"path":"to","content":""}`)
	is.Equal(r.Text, "to has changed since you read it: read it again with read_file, then write it")
	use("read_file", `{"path":"dir/a b.txt"}`)
	is.True(!use("edit_file", `{"path":"to","old_string":"one","new_string":"1"}`).IsError)
	is.True(strings.HasPrefix(use("edit_file", `{"path":"to","old_string":"x","new_string":"y"}`).Text, "old_string is not in to: nothing was changed"))
	is.True(strings.HasPrefix(use("edit_file", `{"path":"to","old_string":"re","new_string":"y"}`).Text, "old_string is in to 2 times, at lines 3, 4: "))

	is.Equal(use("ls", `{}`).Text, "sub/\nbin  1\ndir -> sub\nsafe -> .env\nto -> sub/a b.txt\n[1 hidden entry not shown: set hidden]")
	is.Equal(use("glob", `{"pattern":"**/*.txt"}`).Text, "sub/a b.txt")
	is.Equal(use("glob", `{"pattern":"dir/*.txt"}`).Text, "sub/a b.txt") // as it really is
	is.Equal(use("glob", `{"pattern":"../workspace/b{in,ash}"}`).Text, "bin")
	is.Equal(use("grep", `{"pattern":"^(1|more)$","after":1}`).Text, "sub/a b.txt:1:1\nsub/a b.txt-2-2\n--\nsub/a b.txt:4:more")
	is.Equal(use("grep", `{"pattern":"more","path":"to","output_mode":"count"}`).Text, "sub/a b.txt:1")
	is.True(strings.HasPrefix(use("grep", `{"pattern":"KEY","hidden":true}`).Text, "no match"))
	for _, spelling := range []string{".env", "./.env", "../workspace/.env", "safe", "/proc/self/root/workspace/.env", "/proc/self/cwd/workspace/.env"} {
		r := use("read_file", `{"path":"`+spelling+`"}`)
		is.True(r.IsError)
		if !strings.HasPrefix(r.Text, "permission denied") {
			t.Errorf("%s: %s", spelling, r.Text)
		}
	}
	is.True(strings.HasPrefix(use("read_file", `{"path":"bin"}`).Text, "bin is a binary file (application/octet-stream, 1 bytes)"))
	is.True(strings.HasPrefix(use("read_file", `{"path":"/dev/null"}`).Text, "/dev/null is a device"))
	is.Equal(use("write_file", `{"path":"/etc/x","content":""}`).Text, "/etc/x: the user of this sandbox may not do that (read_only): choose a path in the work dir, the home directory or /tmp")
	is.Equal(use("glob", `{"pattern":"[a"}`).IsError, true)
	is.True(strings.HasPrefix(use("glob", `{"pattern":"*","path":"-rf"}`).Text, "-rf does not exist"))

	start := time.Now()
	r = use("execute", `{"command":"echo begun; sleep 60","timeout_seconds":1}`)
	is.Equal(r.Text, "begun\n[timed out after 1 s and was killed: run it in the background, with COMMAND >out.log 2>&1 &, or raise timeout_seconds up to 600]")
	is.True(time.Since(start) < 10*time.Second)
	r = use("execute", `{"command":"yes 0123456789 | head -c 1000000; echo END"}`)
	is.True(strings.HasPrefix(r.Text, "0123456789\n") && strings.Contains(r.Text, "END\n[970404 bytes of output were dropped"))
	is.True(len(r.Text) <= tools.DefaultMaxOutput)
}

func TestEngineHashLine(t *testing.T) {
	is := is.New(t)
	use := caller(t, openEngine(t), &tools.Options{Permissions: tools.Permissive(), HashLine: true})
	use("write_file", `{"path":"a","content":"one\ntwo\n"}`)
	is.Equal(use("read_file", `{"path":"a"}`).Text, "     1:a3c8\tone\n     2:360d\ttwo")
	is.True(!use("hashline_edit", `{"path":"a","edits":[{"op":"insert_after","anchor":"2:360d","text":"three"},{"op":"delete","anchor":"1:a3c8"}]}`).IsError)
	is.Equal(use("execute", `{"command":"cat a"}`).Text, "two\nthree")
	use("execute", `{"command":"echo x >>a"}`)
	is.True(strings.HasPrefix(use("hashline_edit", `{"path":"a","edits":[{"op":"delete","anchor":"1:360d"}]}`).Text, "a has changed since you read it"))
}

// A closed sandbox is no result.
func TestEngineClosed(t *testing.T) {
	is := is.New(t)
	sb := openEngine(t)
	set, err := tools.New(sb, &tools.Options{Permissions: tools.Permissive()})
	is.NoErr(err)
	is.NoErr(sb.Close())
	for name, args := range map[string]string{"ls": `{}`, "execute": `{"command":"true"}`, "write_file": `{"path":"a","content":""}`} {
		r, err := set.Call(context.Background(), name, json.RawMessage(args))
		is.True(err != nil)
		is.True(r == nil)
	}
}
