package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
	"github.com/drydock-go/drydock/session"
	"github.com/matryer/is"
)

// actAsService makes this test binary act as the program under test.
const actAsService = "DRYDOCK_MULTIUSER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(actAsService) != "" {
		main()
	}
	before := runtime.NumGoroutine()
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(10 * time.Second); code == 0 && runtime.NumGoroutine() > before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			fmt.Printf("leaked: %d goroutines, then %d\n", before, runtime.NumGoroutine())
			_ = pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
			code = 1
		}
	}
	os.Exit(code)
}

// busybox is an image that scripts/setup makes.
const busybox = "localhost/drydock/busybox:1"

// testEngine returns the engine to test on. If none is named it skips the test.
func testEngine(t *testing.T) string {
	t.Helper()
	name := os.Getenv(sandboxtest.EnvEngine)
	if name == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine")
	}
	return name
}

// api is a service on the engine, and a client of it.
type api struct {
	t   *testing.T
	url string
	*service
}

// serve starts a service that ends with the test; change may be nil.
func serve(t *testing.T, change func(*config)) *api {
	t.Helper()
	c := &config{timeout: 20 * time.Second}
	c.sessions.Sandbox = sandbox.Options{
		Engine: engine.Docker(&dockercli.Client{Path: testEngine(t)}), Image: busybox, Memory: memory, PIDs: pids,
	}
	if change != nil {
		change(c)
	}
	m, err := session.New(&c.sessions)
	if err != nil {
		t.Fatal(err)
	}
	s := newService(m, c)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return &api{t, server.URL, s}
}

// start sends a request; its response is closed with the test.
func (a *api) start(ctx context.Context, method, path, body string) *http.Response {
	a.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// do sends a request and returns the response and its body.
func (a *api) do(method, path, body string) (*http.Response, string) {
	a.t.Helper()
	resp := a.start(a.t.Context(), method, path, body)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, string(b)
}

func shell(code string) string {
	b, _ := json.Marshal(map[string]string{"language": "sh", "code": code})
	return string(b)
}

// sh runs code and returns what it wrote and its end.
func (a *api) sh(user, code string) (stdout, stderr string, last end) {
	a.t.Helper()
	resp, body := a.do("POST", "/users/"+user+"/run", shell(code))
	if resp.StatusCode != 200 {
		a.t.Fatalf("%s: %s", resp.Status, body)
	}
	return a.decode(body)
}

func (a *api) decode(body string) (stdout, stderr string, last end) {
	a.t.Helper()
	all := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	for _, line := range all[:len(all)-1] {
		var c chunk
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			a.t.Fatalf("%q: %v", line, err)
		}
		switch c.Stream {
		case "stdout":
			stdout += c.Data + string(c.Base64)
		case "stderr":
			stderr += c.Data + string(c.Base64)
		default:
			a.t.Fatalf("stream of %q", line)
		}
	}
	d := json.NewDecoder(strings.NewReader(all[len(all)-1]))
	d.DisallowUnknownFields()
	if err := d.Decode(&last); err != nil || last.Outcome == "" {
		a.t.Fatalf("end %q: %v", all[len(all)-1], err)
	}
	return stdout, stderr, last
}

// runs reports whether a user has a process with these arguments.
func (a *api) runs(user string, args ...string) bool {
	a.t.Helper()
	stdout, _, _ := a.sh(user, "cat /proc/[0-9]*/cmdline 2>/dev/null")
	return strings.Contains(stdout, strings.Join(args, "\x00")+"\x00")
}

func eventually(t *testing.T, event string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting for %s", event)
		}
	}
}

func TestRun(t *testing.T) {
	is := is.New(t)
	a := serve(t, func(c *config) { c.timeout = time.Second })
	stdout, stderr, last := a.sh("ann", `echo out; echo err >&2; printf 'é\377\000'; exit 3`)
	is.Equal(stdout, "out\né\xff\x00") // every byte
	is.Equal(stderr, "err\n")          // apart
	is.Equal(last.Outcome, "exited")   // outcome
	is.Equal(last.ExitCode, 3)         // exit code
	is.Equal(last.Error, "")           // none

	_, _, last = a.sh("ann", "kill -SEGV $$")
	is.Equal(last.Outcome, "signaled") // outcome
	is.Equal(last.Signal, "SIGSEGV")   // signal
	is.Equal(last.ExitCode, -1)        // there is none

	stdout, _, last = a.sh("ann", "echo begun; sleep 100")
	is.Equal(stdout, "begun\n")         // kept
	is.Equal(last.Outcome, "timed_out") // outcome
	is.True(last.DurationMS >= 1000)    // after its time

	stdout, _, last = a.sh("ann", "exit 0")
	is.Equal(stdout, "")             // none
	is.Equal(last.Outcome, "exited") // and yet an end

	resp, body := a.do("POST", "/users/ann/run", `{"language":"python","code":"print(1)"}`)
	is.Equal(resp.StatusCode, 422)                                     // the image has no python
	is.True(strings.Contains(body, "command not found"))               // and says so
	is.True(strings.Contains(resp.Header.Get("Content-Type"), "json")) // as JSON

	_, _, last = a.sh("ann", "kill -KILL -1; sleep 9") // ends the sandbox or the command
	is.True(last.Outcome != "exited")                  // not well
	eventually(t, "another sandbox", func() bool {
		resp, _ := a.do("POST", "/users/ann/run", shell("true"))
		return resp.StatusCode == 200
	})
}

func TestRunOutputLimit(t *testing.T) {
	is := is.New(t)
	a := serve(t, func(c *config) { c.timeout = time.Minute })
	stdout, _, last := a.sh("ann", "yes; true")
	is.Equal(last.Outcome, outputLimit)              // outcome
	is.Equal(len(stdout), maxOutput)                 // as much as is shown
	is.True(last.DurationMS < 50_000)                // not by its timeout
	is.True(!a.runs("ann", "sh", "-c", "yes; true")) // ended
}

func TestStreams(t *testing.T) {
	is := is.New(t)
	a := serve(t, nil)
	a.do("PUT", "/users/ann/files/wait", "")
	resp := a.start(t.Context(), "POST", "/users/ann/run", shell("echo begun; while [ -e wait ]; do sleep 0.05; done; echo ended"))
	is.Equal(resp.Header.Get("Content-Type"), "application/x-ndjson") // type
	lines := bufio.NewReader(resp.Body)
	first, err := lines.ReadString('\n')
	is.NoErr(err)
	is.Equal(first, `{"stream":"stdout","data":"begun\n"}`+"\n") // while the command waits for us
	a.sh("ann", "rm wait")
	rest, err := io.ReadAll(lines)
	is.NoErr(err)
	stdout, _, last := a.decode(string(rest))
	is.Equal(stdout, "ended\n")      // then the rest
	is.Equal(last.Outcome, "exited") // and the end
}

func TestDisconnect(t *testing.T) {
	is := is.New(t)
	a := serve(t, func(c *config) { c.timeout = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp := a.start(ctx, "POST", "/users/ann/run", shell("echo begun; sleep 4711 & sleep 4712"))
	_, err := bufio.NewReader(resp.Body).ReadString('\n')
	is.NoErr(err)
	eventually(t, "the command", func() bool { return a.runs("ann", "sleep", "4711") && a.runs("ann", "sleep", "4712") })
	cancel()
	eventually(t, "its end", func() bool { return !a.runs("ann", "sleep", "4711") && !a.runs("ann", "sleep", "4712") })
}

// A client that takes nothing does not hold on to its command, nor to the host's memory.
func TestSlowReader(t *testing.T) {
	is := is.New(t)
	a := serve(t, func(c *config) { c.timeout = time.Hour })
	a.writeTimeout = time.Second
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	is.NoErr(err)
	defer conn.Close()
	is.NoErr(conn.(*net.TCPConn).SetReadBuffer(4096))
	// Less than maxOutput, which would end it as well, and more than the sockets hold.
	const code = "yes | head -c 8000000; sleep 4711"
	body := shell(code)
	_, err = fmt.Fprintf(conn, "POST /users/ann/run HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	is.NoErr(err)
	eventually(t, "the command", func() bool { return a.runs("ann", "sh", "-c", code) })
	eventually(t, "its end", func() bool { return !a.runs("ann", "sh", "-c", code) })
}

func TestFiles(t *testing.T) {
	is := is.New(t)
	a := serve(t, nil)
	resp, _ := a.do("PUT", "/users/ann/files/d/a%20b.bin", "one\x00\xff")
	is.Equal(resp.StatusCode, 201) // made, with its directory
	resp, _ = a.do("PUT", "/users/ann/files/d/a%20b.bin", "two\x00\xff")
	is.Equal(resp.StatusCode, 204) // replaced
	resp, body := a.do("GET", "/users/ann/files/d/a%20b.bin", "")
	is.Equal(resp.StatusCode, 200) // there
	is.Equal(body, "two\x00\xff")  // every byte
	resp, body = a.do("HEAD", "/users/ann/files/d/a%20b.bin", "")
	is.Equal(resp.ContentLength, int64(5)) // length
	is.Equal(body, "")                     // and no more

	// Names of every kind are listed with an address that leads to them.
	a.sh("ann", `cd d; mkdir 'sub #'; ln -s /etc/hostname l; mkfifo f
		for n in '<b>&"' '%41?x=1#y' "$(printf 'new\nline')" "$(printf '\377')" -rf .hidden é; do printf "%s" "$n" >"./$n"; done`)
	resp, body = a.do("GET", "/users/ann/files?path=d", "")
	is.Equal(resp.StatusCode, 200) // listed
	var l listing
	is.NoErr(json.Unmarshal([]byte(body), &l))
	is.Equal(l.Path, "d")        // path
	is.Equal(len(l.Entries), 11) // all
	types := make(map[string]int)
	for _, e := range l.Entries {
		types[e.Type]++
		resp, body := a.do("GET", e.Href, "")
		switch e.Type {
		case "file":
			is.Equal(resp.StatusCode, 200)                                                // reached
			is.Equal(int64(len(body)), e.Size)                                            // all of it
			is.True(e.Name == "a b.bin" || strings.ToValidUTF8(body, "\ufffd") == e.Name) // the right one
		case "other":
			is.Equal(resp.StatusCode, 409) // a FIFO does not block
		default:
			is.Equal(resp.StatusCode, 200) // directory and symlink
		}
	}
	is.Equal(types, map[string]int{"file": 8, "dir": 1, "symlink": 1, "other": 1})

	// More than one part, and its exact length.
	a.sh("ann", "yes | head -c 1000001 >big")
	_, body = a.do("GET", "/users/ann/files/big", "")
	is.Equal(body, strings.Repeat("y\n", 500_001)[:1000001]) // all
	a.sh("ann", "truncate -s 100G huge || dd if=/dev/zero of=huge bs=1 count=0 seek=100G")

	for target, want := range map[string]int{
		"GET /users/ann/files/nope":       404,
		"GET /users/ann/files?path=nope":  404,
		"GET /users/ann/files/d":          409,
		"GET /users/ann/files/":           409,
		"GET /users/ann/files?path=big":   409,
		"GET /users/ann/files/big/x":      409,
		"GET /users/ann/files/huge":       413,
		"PUT /users/ann/files/d":          409,
		"PUT /users/ann/files/a%00b":      400,
		"GET /users/bo/files/d/a%20b.bin": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		resp, body := a.do(method, path, "")
		t.Logf("%s: %d %.200s", target, resp.StatusCode, body)
		is.Equal(resp.StatusCode, want) // status
	}
	resp, _ = a.do("PUT", "/users/ann/files/much", strings.Repeat("x", maxUpload+1))
	is.Equal(resp.StatusCode, 413) // too much
	resp, _ = a.do("PUT", "/users/ann/files/much", strings.Repeat("x", maxUpload))
	is.Equal(resp.StatusCode, 201) // as much as may be
}

// What a user made cannot act as a page of this origin.
func TestHostileFiles(t *testing.T) {
	is := is.New(t)
	a := serve(t, nil)
	for name, c := range map[string]struct{ content, kind, disposition string }{
		"x.html":        {"<script>alert(1)</script>", "application/octet-stream", `attachment; filename=x.html`},
		"x.svg":         {`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "application/octet-stream", `attachment; filename=x.svg`},
		"x.js":          {"alert(1)", "application/octet-stream", `attachment; filename=x.js`},
		"x.pdf":         {"%PDF-1.4", "application/octet-stream", `attachment; filename=x.pdf`},
		"y.png":         {"<html><script>alert(1)</script>", "application/octet-stream", `attachment; filename=y.png`},
		"x.png":         {"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "image/png", `inline; filename=x.png`},
		"a\r\nX: \"b é": {"", "application/octet-stream", `attachment; filename*=utf-8''a%0D%0AX%3A%20%22b%20%C3%A9`},
	} {
		path := "/users/ann/files/" + (&urlPath{name}).String()
		resp, _ := a.do("PUT", path, c.content)
		is.Equal(resp.StatusCode, 201) // written
		resp, body := a.do("GET", path, "")
		h := resp.Header
		is.Equal(body, c.content)                                                                         // as it is
		is.Equal(h.Get("Content-Type"), c.kind)                                                           // no page, no script
		is.Equal(h.Get("Content-Disposition"), c.disposition)                                             // a download
		is.Equal(h.Get("X-Content-Type-Options"), "nosniff")                                              // whatever it looks like
		is.Equal(h.Get("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'; sandbox") // and does nothing
		is.Equal(h.Get("Cross-Origin-Resource-Policy"), "same-origin")                                    // for this page alone
	}
}

// urlPath escapes every byte of a name.
type urlPath struct{ name string }

func (u *urlPath) String() string {
	var b strings.Builder
	for _, c := range []byte(u.name) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func TestUsersApart(t *testing.T) {
	is := is.New(t)
	root := filepath.Join(t.TempDir(), "workspaces")
	a := serve(t, func(c *config) { c.sessions.WorkspaceRoot = root })
	a.do("PUT", "/users/ann/files/secret", "ann's")
	a.sh("ann", "sleep 4711 >/dev/null 2>&1 & echo tmp >/tmp/t; echo home >~/h")
	stdout, _, _ := a.sh("bo", "cat secret ../ann/secret /tmp/t ~/h 2>/dev/null; ls -A . .. /tmp ~; find / -name secret 2>/dev/null")
	is.True(!strings.Contains(stdout, "ann"))    // nothing of hers
	is.True(!strings.Contains(stdout, "secret")) // by no way
	is.True(!a.runs("bo", "sleep", "4711"))      // nor her processes
	resp, _ := a.do("GET", "/users/bo/files/secret", "")
	is.Equal(resp.StatusCode, 404) // nor over HTTP
	a.sh("bo", "ln -s "+root+"/ann/secret link; ln -s ../ann/secret link2")
	for _, link := range []string{"link", "link2"} {
		resp, _ = a.do("GET", "/users/bo/files/"+link, "")
		is.Equal(resp.StatusCode, 404) // nor by a symlink, which is followed inside
	}

	resp, _ = a.do("DELETE", "/users/ann", "")
	is.Equal(resp.StatusCode, 204) // released
	is.Equal(a.manager.Count(), 1) // bo's is left
	_, body := a.do("GET", "/users/ann/files/secret", "")
	is.Equal(body, "ann's") // kept
	resp, _ = a.do("DELETE", "/users/ann?files=delete", "")
	is.Equal(resp.StatusCode, 204) // deleted
	resp, _ = a.do("GET", "/users/ann/files/secret", "")
	is.Equal(resp.StatusCode, 404) // gone
}

func TestFull(t *testing.T) {
	is := is.New(t)
	a := serve(t, func(c *config) { c.sessions.Max = 1 })
	a.sh("ann", "true")
	resp, body := a.do("POST", "/users/bo/run", shell("true"))
	is.Equal(resp.StatusCode, 503)                                    // full
	is.Equal(resp.Header.Get("Retry-After"), "30")                    // when to ask again
	is.True(strings.Contains(body, `{"error":"the maximum of users`)) // why
	a.do("DELETE", "/users/ann", "")
	_, _, last := a.sh("bo", "true")
	is.Equal(last.Outcome, "exited") // room again
}

// containersOf returns the containers that the process pid opened.
func containersOf(t *testing.T, pid int) (names []string) {
	t.Helper()
	client := &dockercli.Client{Path: testEngine(t)}
	all, err := client.ContainerList(context.Background(), map[string]string{engine.LabelOwner: ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if strings.Contains(c.Labels[engine.LabelOwner], fmt.Sprintf(":%d:", pid)) {
			names = append(names, c.Name)
		}
	}
	return names
}

// TestShutdown ends the program while a command runs and a sandbox waits.
func TestShutdown(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals can be sent")
	}
	for name, sig := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "--addr", "127.0.0.1:0", "--engine", testEngine(t),
				"--image", busybox, "--workspaces", filepath.Join(t.TempDir(), "w"))
			cmd.Env = append(os.Environ(), actAsService+"=1")
			cmd.WaitDelay = 10 * time.Second
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			is.NoErr(err)
			is.NoErr(cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			url := regexp.MustCompile(`^multiuser: listening on (http://127\.0\.0\.1:\d+)/\n$`).FindStringSubmatch(line)
			is.True(url != nil) // says where
			a := &api{t: t, url: url[1]}
			a.sh("bo", "true")
			resp := a.start(t.Context(), "POST", "/users/ann/run", shell("trap '' TERM; echo begun; while :; do sleep 1; done"))
			lines := bufio.NewReader(resp.Body)
			_, err = lines.ReadString('\n')
			is.NoErr(err)
			is.Equal(len(containersOf(t, cmd.Process.Pid)), 2) // seen, so that their absence proves something

			begin := time.Now()
			is.NoErr(cmd.Process.Signal(sig))
			rest, err := io.ReadAll(lines)
			is.NoErr(err)
			_, _, last := a.decode(string(rest))
			is.Equal(last.Outcome, "lost")                     // the client is told
			is.True(last.Error != "")                          // why
			is.NoErr(cmd.Wait())                               // a clean end
			is.Equal(len(containersOf(t, cmd.Process.Pid)), 0) // containers left
			is.True(time.Since(begin) < 10*time.Second)        // soon
		})
	}
}
