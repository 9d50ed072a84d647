package image_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
)

// command names the setup command of the runtime that children build.
const command = "DRYDOCK_TEST_COMMAND"

// child is set to its role in a process that a test starts.
const child = "DRYDOCK_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(child) {
	case "build":
		openMany()
	case "build and hang":
		hangInBuild()
	}
	flag.Parse()
	if run := flag.Lookup("test.run"); os.Getenv(sandboxtest.EnvEngine) == "" && run.Value.String() == "" {
		// Examples cannot skip, and all of this package's need an engine.
		if err := run.Value.Set("^(Test|Fuzz)"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func childCatalog() *drydock.Catalog {
	catalog, err := drydock.Presets().With(drydock.Runtime{Name: "test-once", BaseImage: enginetest.Busybox, SetupCommands: []string{os.Getenv(command)}})
	if err != nil {
		panic(err)
	}
	return catalog
}

// openMany is a process that opens ten sandboxes of a new runtime at once, and prints how
// many builds it saw, and the image.
func openMany() {
	e := enginetest.Here()
	var built atomic.Int32
	var ref atomic.Value
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			sb, err := sandbox.Open(context.Background(), &sandbox.Options{Runtime: "test-once", Memory: 32 << 20, Images: &image.Builder{Engine: e, Catalog: childCatalog(),
				Progress: func(p image.Progress) {
					if p.Done && p.Err == nil {
						built.Add(1)
					}
				}}})
			if err != nil {
				fmt.Println("error:", err)
				os.Exit(1)
			}
			ref.Store(sb.Image())
			sb.Close()
		})
	}
	wg.Wait()
	fmt.Println(built.Load(), ref.Load())
	os.Exit(0)
}

// hangInBuild is a process that is killed in the middle of a build.
func hangInBuild() {
	e := enginetest.Here()
	_, err := sandbox.Open(context.Background(), &sandbox.Options{Runtime: "test-once", Images: &image.Builder{Engine: e, Catalog: childCatalog(),
		Progress: func(p image.Progress) {
			if strings.HasPrefix(p.Text, "setup:") && p.Line == "" {
				fmt.Println("building")
			}
		}}})
	fmt.Println("error:", err)
	os.Exit(1)
}

func childProcess(t *testing.T, role, setup string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+role, command+"="+setup)
	cmd.Stderr = os.Stderr
	return cmd
}

func uniqueCommand(more string) string {
	return fmt.Sprintf("echo %d; %s", time.Now().UnixNano(), more)
}

// locks counts the containers that lock the build of an image.
func locks(t testing.TB, cli, ref string) int {
	t.Helper()
	return enginetest.Containers(t, cli, "drydock-build-"+ref[strings.LastIndexByte(ref, ':')+1:])
}

func mustRuntime(t testing.TB, c *drydock.Catalog, name string) drydock.Runtime {
	t.Helper()
	r, err := c.Runtime(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBuildOnceForAll(t *testing.T) {
	is := is.New(t)
	_, cli := enginetest.Engine(t)
	setup := uniqueCommand("sleep 1")
	var outs [3]bytes.Buffer
	var cmds [3]*exec.Cmd
	for i := range cmds {
		cmds[i] = childProcess(t, "build", setup)
		cmds[i].Stdout = &outs[i]
		is.NoErr(cmds[i].Start())
	}
	builds, ref := 0, ""
	for i := range cmds {
		err := cmds[i].Wait()
		t.Logf("process %d: %s", i, outs[i].String())
		is.NoErr(err)
		var n int
		_, err = fmt.Sscan(outs[i].String(), &n, &ref)
		is.NoErr(err)
		builds += n
	}
	t.Cleanup(func() { exec.Command(cli, "rmi", ref).Run() })
	is.Equal(builds, 1)             // thirty opens in three processes
	is.Equal(locks(t, cli, ref), 0) // none is left
}

// A process that dies in a build leaves its lock, and nobody waits for it.
func TestBuildLockOfTheDead(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	setup := uniqueCommand("if [ ! -e /tmp/x ]; then sleep 3; fi")
	t.Setenv(command, setup)
	cmd := childProcess(t, "build and hang", setup)
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	line := make([]byte, 100)
	n, _ := out.Read(line)
	is.Equal(strings.TrimSpace(string(line[:n])), "building")
	ref, err := image.Reference(mustRuntime(t, childCatalog(), "test-once"), runtime.GOARCH)
	is.NoErr(err)
	is.Equal(locks(t, cli, ref), 1)
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	start := time.Now()
	sb, err := sandbox.Open(t.Context(), &sandbox.Options{Runtime: "test-once", Images: &image.Builder{Engine: e, Catalog: childCatalog()}})
	is.NoErr(err)
	defer exec.Command(cli, "rmi", sb.Image()).Run()
	defer sb.Close()
	t.Logf("built after %v", time.Since(start))
	is.Equal(locks(t, cli, ref), 0)
}

// logged is a command line that notes what it is called for.
func logged(t *testing.T) (engine.Engine, func() []string) {
	_, cli := enginetest.Engine(t)
	path, err := exec.LookPath(cli)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log, wrapper := filepath.Join(dir, "log"), filepath.Join(dir, filepath.Base(cli))
	script := fmt.Sprintf("#!/bin/sh\necho \"$1\" >> %s\nexec %s \"$@\"\n", log, path)
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return engine.Docker(&dockercli.Client{Path: wrapper}), func() []string {
		text, _ := os.ReadFile(log)
		os.Remove(log)
		return strings.Fields(string(text))
	}
}

func TestOpenCallsOnce(t *testing.T) {
	is := is.New(t)
	e, calls := logged(t)
	ctx := context.Background()
	for i := range 3 {
		sb, err := sandbox.Open(ctx, &sandbox.Options{Engine: e, Image: enginetest.Busybox})
		is.NoErr(err)
		_, err = sb.Exec(ctx, "true")
		is.NoErr(err)
		is.NoErr(sb.Close())
		got := calls()
		if i > 0 { // the first asks what engine it is, and sweeps
			is.Equal(got, []string{"run"})
		}
	}
}

// The preset as it is, on a stand-in for its image, from wheels of its packages' names.
func TestPresetFromIndex(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	overlay := t.TempDir() + "/runtimes.yaml"
	is.NoErr(os.WriteFile(overlay, []byte("version: 1\nstand_ins: {python:3.12-slim: "+enginetest.Python+"}\n"), 0o644))
	catalog, err := drydock.Load(overlay)
	is.NoErr(err)
	preset, err := catalog.Runtime("python-datascience")
	is.NoErr(err)
	is.Equal(len(preset.Packages[drydock.Pip]), 5)
	wheels := make(map[string][]byte)
	var code strings.Builder
	code.WriteString("import os\n")
	for _, name := range preset.Packages[drydock.Pip] {
		module := strings.ReplaceAll(name, "-", "_")
		wheels[module+"-1.0-py3-none-any.whl"] = enginetest.Wheel(t, module, "1.0", fmt.Sprintf("VALUE = 'made %s'\n", name))
		fmt.Fprintf(&code, "import %[1]s; print(%[1]s.VALUE)\n", module)
	}
	code.WriteString("print(os.environ['MPLBACKEND'])\n")
	var steps []string
	sb, err := sandbox.Open(ctx, &sandbox.Options{Runtime: preset.Name, Images: &image.Builder{Engine: e, Catalog: catalog,
		PipIndex: enginetest.Index(t, wheels),
		Progress: func(p image.Progress) { steps = append(steps, p.Text) }}})
	is.NoErr(err)
	defer exec.Command(cli, "rmi", sb.Image()).Run()
	defer sb.Close()
	is.True(slices.Contains(steps, "pip: install "+strings.Join(preset.Packages[drydock.Pip], " ")))
	r, err := sb.Command("python3", "-c", code.String()).Run(ctx)
	is.NoErr(err)
	is.Equal(string(r.Stdout), "made pandas\nmade numpy\nmade matplotlib\nmade scikit-learn\nmade seaborn\nAgg\n")
}

func TestBuildFromIndex(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	stamp := fmt.Sprint(time.Now().UnixNano())
	url := enginetest.Index(t, map[string][]byte{
		"ddone-1.0-py3-none-any.whl": enginetest.Wheel(t, "ddone", "1.0", "VALUE = 1\n"),
		"ddone-2.0-py3-none-any.whl": enginetest.Wheel(t, "ddone", "2.0", "VALUE = 2\n"),
		"ddtwo-1.0-py3-none-any.whl": enginetest.Wheel(t, "ddtwo", "1.0", "VALUE = 'two'\n"),
	})
	catalog, err := drydock.Presets().With(
		drydock.Runtime{Name: "pip-one", BaseImage: enginetest.Python, Packages: drydock.Packages{drydock.Pip: {"ddone<2"}}, SetupCommands: []string{"echo " + stamp}},
		drydock.Runtime{Name: "pip-two", BaseImage: enginetest.Python, Packages: drydock.Packages{drydock.Pip: {"ddone<2", "ddtwo"}}, SetupCommands: []string{"echo " + stamp}},
		drydock.Runtime{Name: "pip-file", BaseImage: enginetest.Python, SetupCommands: []string{"echo " + stamp},
			Requirements: map[drydock.Manager]drydock.Requirements{drydock.Pip: {"requirements.txt": "ddone==2.0\nddtwo\n"}}},
		drydock.Runtime{Name: "pip-none", BaseImage: enginetest.Python, Packages: drydock.Packages{drydock.Pip: {"ddnone"}}},
	)
	is.NoErr(err)
	open := func(runtime string, b image.Builder) (*sandbox.Sandbox, error) {
		b.Catalog = catalog
		return sandbox.Open(ctx, &sandbox.Options{Engine: e, Runtime: runtime, Images: &b})
	}
	for runtime, want := range map[string]string{
		"pip-one":  "import ddone; print(ddone.VALUE) # 1",
		"pip-two":  "import ddone, ddtwo; print(ddone.VALUE, ddtwo.VALUE) # 1 two",
		"pip-file": "import ddone, ddtwo; print(ddone.VALUE, ddtwo.VALUE) # 2 two",
	} {
		t.Run(runtime, func(t *testing.T) {
			is := is.New(t)
			sb, err := open(runtime, image.Builder{PipIndex: url})
			is.NoErr(err)
			defer exec.Command(cli, "rmi", sb.Image()).Run()
			defer sb.Close()
			r, err := sb.Command("python3", "-c", want).Run(ctx)
			is.NoErr(err)
			_, value, _ := strings.Cut(want, "# ")
			is.Equal(string(r.Stdout), value+"\n")
			// The password is nowhere in the image.
			out, err := exec.Command("sh", "-c", fmt.Sprintf("%[1]s save %[2]s | grep -ac s3cret; %[1]s history --no-trunc %[2]s | grep -c s3cret; %[1]s image inspect %[2]s | grep -c s3cret", cli, sb.Image())).Output()
			is.True(err != nil) // the last grep found nothing
			is.Equal(strings.Fields(string(out)), []string{"0", "0", "0"})
		})
	}
	t.Run("not there", func(t *testing.T) {
		is := is.New(t)
		_, err := open("pip-none", image.Builder{PipIndex: url})
		var e *image.BuildError
		is.True(errors.As(err, &e))
		is.True(errors.Is(err, dockercli.ErrBuild))
		is.Equal(e.Image, "runtime pip-none")
		is.Equal(e.Text, "pip: install ddnone")
		is.True(e.Step > 1 && e.Steps > e.Step)
		is.True(strings.Contains(strings.Join(e.Lines, "\n"), "No matching distribution found for ddnone"))
		is.True(!strings.Contains(err.Error(), "s3cret"))
		t.Log(err)
	})
	t.Run("told", func(t *testing.T) {
		is := is.New(t)
		loud, err := catalog.With(drydock.Runtime{Name: "loud", BaseImage: enginetest.Busybox, SetupCommands: []string{"env; echo $PIP_INDEX_URL >&2; exit 1"}})
		is.NoErr(err)
		var lines []string
		_, err = sandbox.Open(ctx, &sandbox.Options{Engine: e, Runtime: "loud", Images: &image.Builder{Catalog: loud,
			PipIndex: url, NPMRegistry: "https://npm.example.com", NPMToken: "t0ken",
			Progress: func(p image.Progress) { lines = append(lines, p.Line) }}})
		is.True(errors.Is(err, dockercli.ErrBuild))
		all := fmt.Sprintf("%v %+v %s", err, errors.Unwrap(errors.Unwrap(err)), strings.Join(lines, "\n"))
		is.True(strings.Contains(all, "PIP_INDEX_URL=http://user:****@"))
		is.True(!strings.Contains(all, "s3cret") && !strings.Contains(all, "t0ken"))
		is.True(!strings.Contains(all, "NPMRC")) // which setup commands have no use for
	})
	t.Run("unreachable", func(t *testing.T) {
		is := is.New(t)
		nobody := strings.Replace(url, ":8000", ":8001", 1)
		start := time.Now()
		_, err := open("pip-none", image.Builder{PipIndex: nobody, Timeout: time.Minute})
		var e *image.BuildError
		is.True(errors.As(err, &e))
		is.True(strings.Contains(strings.Join(e.Lines, "\n"), "refused"))
		t.Logf("told after %v", time.Since(start))
	})
}

func TestBuildPolicies(t *testing.T) {
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	base := fmt.Sprintf("localhost/drydock/test-policy:%d", time.Now().UnixNano())
	is := is.New(t)
	is.NoErr(exec.Command(cli, "tag", enginetest.Busybox, base).Run())
	t.Cleanup(func() { exec.Command(cli, "rmi", base).Run() })
	catalog, err := drydock.Presets().With(
		drydock.Runtime{Name: "policy", BaseImage: base, SetupCommands: []string{uniqueCommand("true")}},
		drydock.Runtime{Name: "missing", BaseImage: "localhost/drydock/no-such:1", SetupCommands: []string{"true"}},
		drydock.Runtime{Name: "hangs", BaseImage: enginetest.Busybox, SetupCommands: []string{uniqueCommand("sleep 100")}},
		drydock.Runtime{Name: "fills", BaseImage: enginetest.Busybox, SetupCommands: []string{uniqueCommand("echo x > /dev/full")}},
	)
	is.NoErr(err)
	open := func(runtime string, b image.Builder) (string, error) {
		b.Catalog = catalog
		sb, err := sandbox.Open(ctx, &sandbox.Options{Engine: e, Runtime: runtime, Images: &b})
		if err != nil {
			return "", err
		}
		info, err := e.InspectImage(ctx, sb.Image())
		is.NoErr(err)
		t.Cleanup(func() { exec.Command(cli, "rmi", sb.Image()).Run() })
		return info.ID, sb.Close()
	}
	for name, test := range map[string]struct {
		runtime string
		build   image.Builder
		want    error
		says    string
	}{
		"no build":    {"policy", image.Builder{NoBuild: true}, sandbox.ErrOffline, "NoBuild"},
		"no pull":     {"missing", image.Builder{Pull: image.PullNever}, sandbox.ErrOffline, "must not be pulled"},
		"no policy":   {"policy", image.Builder{Pull: "sometimes"}, fs.ErrInvalid, "missing, never or always"},
		"no time":     {"policy", image.Builder{Timeout: -1}, fs.ErrInvalid, "negative"},
		"no URL":      {"policy", image.Builder{PipIndex: "index"}, fs.ErrInvalid, "PipIndex"},
		"no word":     {"policy", image.Builder{NPMRegistry: "https://x/$(id)"}, fs.ErrInvalid, "NPMRegistry"},
		"no token":    {"policy", image.Builder{NPMToken: "a b"}, fs.ErrInvalid, "NPMToken"},
		"hangs":       {"hangs", image.Builder{Timeout: 3 * time.Second}, nil, "not ready within 3s"},
		"a full disk": {"fills", image.Builder{}, dockercli.ErrBuild, "No space left on device"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			start := time.Now()
			_, err := open(test.runtime, test.build)
			is.True(err != nil)
			is.True(test.want == nil || errors.Is(err, test.want))
			is.True(strings.Contains(err.Error(), test.says))
			is.True(time.Since(start) < 30*time.Second)
			ref, err := image.Reference(mustRuntime(t, catalog, test.runtime), runtime.GOARCH)
			is.NoErr(err)
			is.Equal(locks(t, cli, ref), 0)
		})
	}
	first, err := open("policy", image.Builder{Pull: image.PullNever})
	is.NoErr(err)
	again, err := open("policy", image.Builder{NoBuild: true, Pull: image.PullNever})
	is.NoErr(err)
	is.Equal(again, first)
	// Another base has taken the name of the base: only who looks finds out.
	is.NoErr(exec.Command(cli, "tag", "localhost/drydock/static:1", base).Run())
	same, err := open("policy", image.Builder{})
	is.NoErr(err)
	is.Equal(same, first)
	_, err = open("policy", image.Builder{Pull: image.PullAlways})
	is.True(errors.Is(err, dockercli.ErrBuild)) // static has no shell for the setup command
	is.NoErr(exec.Command(cli, "tag", enginetest.Busybox, base).Run())
	same, err = open("policy", image.Builder{Pull: image.PullAlways})
	is.NoErr(err)
	is.Equal(same, first) // it is what it was
}

// What takes packages from the indexes that this machine is set to use, and minutes.
func TestBuildFromEverywhere(t *testing.T) {
	if !enginetest.Long() {
		t.Skip("takes minutes, and the machine's own indexes: set DRYDOCK_TEST_LONG")
	}
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	url := enginetest.Index(t, map[string][]byte{"ddone-1.0-py3-none-any.whl": enginetest.Wheel(t, "ddone", "1.0", "VALUE = 1\n")})
	presets, err := drydock.Default()
	if err != nil {
		t.Fatal(err)
	}
	stamp := uniqueCommand("true")
	mixed := drydock.Runtime{Name: "test-mixed", BaseImage: enginetest.Python, SetupCommands: []string{stamp},
		Packages: drydock.Packages{drydock.Apt: {"jq", "nodejs", "npm"}, drydock.Pip: {"ddone"}, drydock.NPM: {"is-odd"}}}
	more := mixed
	more.Name = "test-mixed-more"
	more.Packages = drydock.Packages{drydock.Apt: {"jq", "nodejs", "npm"}, drydock.Pip: {"ddone"}, drydock.NPM: {"is-odd", "left-pad"}}
	catalog, err := presets.With(mixed, more)
	if err != nil {
		t.Fatal(err)
	}
	build := func(runtime string) (*sandbox.Sandbox, time.Duration) {
		start := time.Now()
		sb, err := sandbox.Open(ctx, &sandbox.Options{Engine: e, Runtime: runtime, Images: &image.Builder{Catalog: catalog, PipIndex: url}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			sb.Close()
			if strings.HasPrefix(runtime, "test-") {
				exec.Command(cli, "rmi", sb.Image()).Run()
			}
		})
		return sb, time.Since(start)
	}
	t.Run("apt, pip and npm", func(t *testing.T) {
		is := is.New(t)
		sb, first := build("test-mixed")
		r, err := sb.Exec(ctx, `jq --version; python3 -c 'import ddone; print(ddone.VALUE)'; node -e 'console.log(require("is-odd")(3))'`)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "jq-1.6\n1\ntrue\n")
		_, second := build("test-mixed-more")
		t.Logf("built in %v, with one more package in %v", first, second)
		is.True(second < first) // what comes before was not installed again
	})
	t.Run("node-react", func(t *testing.T) {
		is := is.New(t)
		sb, took := build("node-react")
		t.Logf("ready in %v", took)
		for name, text := range map[string]string{
			"index.html":   `<!doctype html><div id="root"></div><script type="module" src="/src/main.jsx"></script>`,
			"src/main.jsx": "import { createRoot } from \"react-dom/client\";\ncreateRoot(document.getElementById(\"root\")).render(<h1>Hello</h1>);\n",
		} {
			_, err := sb.WriteFile(ctx, name, []byte(text), nil)
			is.NoErr(err)
		}
		r, err := sb.Exec(ctx, "vite build")
		is.NoErr(err)
		is.True(r.OK())
		found, err := sb.Glob(ctx, "dist/assets/index-*.js", nil)
		is.NoErr(err)
		is.Equal(len(found.Matches), 1)
		is.True(found.Matches[0].Size() > 100_000) // React is in it
	})
}

func TestBuild(t *testing.T) {
	e, cli := enginetest.Engine(t)
	// A runtime nobody has built: the text of a setup command is part of its definition.
	unique := fmt.Sprint("echo ", time.Now().UnixNano(), " > /made-by-setup")
	catalog, err := drydock.Presets().With(
		drydock.Runtime{Name: "test-build", BaseImage: enginetest.Busybox, SetupCommands: []string{unique, "echo a\necho \"$B\" >> /made-by-setup"},
			Env: map[string]string{"B": `two "words" $HOME \ #`}, WorkDir: "/data"},
		drydock.Runtime{Name: "test-broken", BaseImage: enginetest.Busybox, SetupCommands: []string{"echo before; echo the reason >&2; exit 9"}},
		drydock.Runtime{Name: "test-no-manager", BaseImage: enginetest.Busybox, Packages: drydock.Packages{drydock.Apt: {"no-such-package"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("once for many", func(t *testing.T) {
		is := is.New(t)
		var mu sync.Mutex
		var steps []image.Progress
		var wg sync.WaitGroup
		boxes := make([]*sandbox.Sandbox, 4)
		for i := range boxes {
			wg.Go(func() {
				boxes[i], _ = sandbox.Open(context.Background(), &sandbox.Options{Runtime: "test-build", Images: &image.Builder{Engine: e, Catalog: catalog,
					Progress: func(p image.Progress) {
						mu.Lock()
						defer mu.Unlock()
						steps = append(steps, p)
					}}})
			})
		}
		wg.Wait()
		for _, sb := range boxes {
			is.True(sb != nil)
			defer sb.Close()
		}
		t.Cleanup(func() { exec.Command(cli, "rmi", boxes[0].Image()).Run() })
		done, last := 0, image.Progress{}
		for _, p := range steps {
			if p.Done {
				done++
			}
			last = p
		}
		is.Equal(done, 1) // one build
		is.NoErr(last.Err)
		is.Equal(last.Image, "runtime test-build")
		is.True(last.Steps > 5 && last.Step == last.Steps)
		r, err := boxes[0].Exec(context.Background(), `pwd; tail -n1 /made-by-setup; echo "$B"`)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "/data\ntwo \"words\" $HOME \\ #\ntwo \"words\" $HOME \\ #\n")
	})
	for _, test := range []struct{ runtime, text string }{
		{"test-broken", "the reason"},
		{"test-no-manager", "apt-get"},
	} {
		t.Run(test.runtime, func(t *testing.T) {
			is := is.New(t)
			var last image.Progress
			_, err := sandbox.Open(context.Background(), &sandbox.Options{Runtime: test.runtime, Images: &image.Builder{Engine: e, Catalog: catalog,
				Progress: func(p image.Progress) { last = p }}})
			is.True(errors.Is(err, dockercli.ErrBuild))
			is.True(strings.Contains(err.Error(), test.text)) // the failing step's last lines
			is.True(last.Done && last.Err != nil)
			t.Log(err)
		})
	}
	t.Run("canceled", func(t *testing.T) {
		is := is.New(t)
		why := errors.New("no longer")
		slow, err := catalog.With(drydock.Runtime{Name: "test-slow", BaseImage: enginetest.Busybox, SetupCommands: []string{unique, "sleep 30"}})
		is.NoErr(err)
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		start := time.Now()
		_, err = sandbox.Open(ctx, &sandbox.Options{Runtime: "test-slow", Images: &image.Builder{Engine: e, Catalog: slow, Progress: func(p image.Progress) {
			if strings.Contains(p.Text, "sleep 30") {
				cancel(why)
			}
		}}})
		is.True(errors.Is(err, why))
		is.True(time.Since(start) < 20*time.Second)
	})
}
