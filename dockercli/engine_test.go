package dockercli

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli/internal/proc"
	"github.com/matryer/is"
)

// engineVar names the CLI of a real engine; without it TestEngine is skipped, with it an
// engine that cannot be reached is a failure.
const engineVar = "DRYDOCK_TEST_ENGINE"

// guestSource is the only program in the test's image.
const guestSource = `package main

import ("fmt"; "io"; "os"; "os/signal"; "strconv"; "syscall"; "time")

func main() {
	switch os.Args[1] {
	case "echo": fmt.Println(os.Args[2]); fmt.Fprintln(os.Stderr, os.Getenv("TOKEN"))
	case "cat": io.Copy(os.Stdout, os.Stdin)
	case "exit": n, _ := strconv.Atoi(os.Args[2]); os.Exit(n)
	case "sleep":
		c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGTERM)
		select { case <-c: case <-time.After(time.Minute): }
	}
}
`

func TestEngine(t *testing.T) {
	cli := os.Getenv(engineVar)
	if cli == "" {
		t.Skip(engineVar + " is not set")
	}
	is := is.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := &Client{Path: cli}
	info, err := c.Info(ctx)
	is.NoErr(err) // the engine that was asked for answers
	is.True(info.CPUs > 0 && info.Memory > 0 && info.ServerVersion != "" && info.OS == "linux")
	t.Logf("%+v", info)

	id := fmt.Sprintf("ddtest-cli-%d-%d", os.Getpid(), time.Now().UnixNano())
	image, tag := "localhost/"+id+":1", "localhost/"+id+":2"
	labels := map[string]string{"ddtest-cli": id}
	named := func(n string) string { return id + "-" + n }
	t.Cleanup(func() { cleanEngine(t, c, labels, image, named("vol")) })

	var progress bytes.Buffer
	is.NoErr(c.Build(ctx, guestContext(t, info.Arch, "LABEL from=dockerfile\nENTRYPOINT [\"/guest\"]\n"),
		&BuildOptions{Tags: []string{image, tag}, Labels: labels, Output: &progress})) // builds
	is.True(progress.Len() > 0) // progress

	t.Run("images", func(t *testing.T) {
		is := is.New(t)
		list, err := c.ImageList(ctx, labels)
		is.NoErr(err)          // lists
		is.Equal(len(list), 2) // filtered, an element for each tag
		is.True(slices.ContainsFunc(list, func(s ImageSummary) bool { return s.Ref == image }))
		v, err := c.ImageInspect(ctx, image)
		is.NoErr(err)               // inspects
		is.Equal(v.ID, list[0].ID)  // the same id
		is.Equal(v.Arch, info.Arch) // arch
		is.Equal(v.Labels["from"], "dockerfile")
		is.Equal(v.Entrypoint, []string{"/guest"})
		_, err = c.ImageInspect(ctx, named("none"))
		is.True(errors.Is(err, ErrNoSuchImage)) // sentinel
		all, err := c.ImageInspectAll(ctx, []string{image, named("none"), v.ID})
		is.NoErr(err) // one of them is missing
		is.Equal(all, []Image{*v, *v})
		var archive bytes.Buffer
		is.NoErr(c.Save(ctx, &archive, image, tag))                                       // saves
		is.True(errors.Is(c.Save(ctx, io.Discard, image, named("none")), ErrNoSuchImage)) // sentinel
		loaded, err := c.Load(ctx, &archive)
		is.NoErr(err) // loads
		slices.Sort(loaded)
		is.Equal(loaded, []string{image, tag})
		is.NoErr(c.ImageRemove(ctx, tag))                           // removes the tag
		is.True(errors.Is(c.ImageRemove(ctx, tag), ErrNoSuchImage)) // gone
		is.True(c.Pull(ctx, "localhost:1/"+id, nil) != nil)         // no such registry
	})

	t.Run("build fails", func(t *testing.T) {
		is := is.New(t)
		err := c.Build(ctx, guestContext(t, info.Arch, "RUN [\"/guest\",\"exit\",\"3\"]\n"), &BuildOptions{Labels: labels})
		is.True(errors.Is(err, ErrBuild)) // sentinel
		e, ok := errors.AsType[*Error](err)
		is.True(ok && strings.Contains(e.Stderr, "exit")) // the step
		t.Log(err)
	})

	t.Run("run", func(t *testing.T) {
		is := is.New(t)
		opts := RunOptions{Remove: true, Labels: labels, Network: "none", Pull: PullNever, Env: map[string]string{"TOKEN": "s3cret"}}
		r, err := c.Run(ctx, image, []string{"echo", "--x y"}, &opts)
		is.NoErr(err)                          // runs
		is.Equal(string(r.Stdout), "--x y\n")  // stdout
		is.Equal(string(r.Stderr), "s3cret\n") // the value of the variable
		r, err = c.Run(ctx, image, []string{"exit", "125"}, &opts)
		is.NoErr(err)             // a result
		is.Equal(r.ExitCode, 125) // the command's
		is.NoErr(r.EngineError()) // told apart
		r, err = c.Run(ctx, named("none"), nil, &opts)
		is.NoErr(err)                                       // a result
		is.True(errors.Is(r.EngineError(), ErrNoSuchImage)) // told apart
		opts.Network = named("none")
		r, err = c.Run(ctx, image, []string{"exit", "0"}, &opts)
		is.NoErr(err)                                         // a result
		is.True(errors.Is(r.EngineError(), ErrNoSuchNetwork)) // told apart
	})

	t.Run("hardened channel", func(t *testing.T) {
		is := is.New(t)
		none, volume := "", named("vol")
		is.NoErr(c.VolumeCreate(ctx, volume, &VolumeOptions{Labels: labels})) // creates
		dir := filepath.Join(t.TempDir(), `a,b "c"`)
		is.NoErr(os.Mkdir(dir, 0o755)) // an awkward name
		p, err := c.Start(ctx, image, []string{"cat"}, &RunOptions{
			Name: named("main"), Labels: labels, Remove: true, DetachKeys: &none, Network: "none", ReadOnly: true,
			User: "1000:1000", WorkDir: "/tmp", Hostname: "host", CapDrop: []string{"ALL"},
			SecurityOpt: []string{"no-new-privileges"}, Tmpfs: map[string]string{"/tmp": "size=1m,exec"},
			Mounts: []Mount{{Source: dir, Target: "/m,1", ReadOnly: true}, {Type: MountVolume, Source: volume, Target: "/v"}},
			Memory: 64 << 20, MemorySwap: 64 << 20, CPUs: 0.5, PidsLimit: 64, IPC: "private",
			CgroupNS: "private", Ulimits: map[string]Ulimit{"core": {}, "nofile": {1024, 1024}, "nproc": {1024, 1024}}, Restart: "no", LogDriver: "none", NoHealthcheck: true,
		})
		is.NoErr(err) // starts
		defer p.Close()
		echo(is, p, "ping\x10\x11\x00\xff")

		v, err := c.ContainerInspect(ctx, named("main"))
		is.NoErr(err) // inspects
		is.Equal(v.Name, named("main"))
		is.Equal(v.Image, image)
		is.Equal(v.State.Status, "running")
		is.Equal(v.Labels["ddtest-cli"], id)
		is.Equal(v.User, "1000:1000")
		is.Equal(v.Limits, Limits{Memory: 64 << 20, MemorySwap: 64 << 20, CPUs: 0.5, Pids: 64})
		is.True(v.ReadOnly && !v.Privileged && len(v.CapDrop) > 0 && v.NetworkMode == "none")
		is.Equal(v.LogDriver, "none")
		found := map[string]MountPoint{}
		for _, m := range v.Mounts {
			found[m.Destination] = m
		}
		is.True(found["/m,1"].Source == dir && !found["/m,1"].RW) // bind
		is.True(found["/v"].Name == volume && found["/v"].RW)     // volume
		is.True(errors.Is(c.VolumeRemove(ctx, volume), ErrInUse)) // kept
		is.True(errors.Is(c.ImageRemove(ctx, image), ErrInUse))   // kept

		list, err := c.ContainerList(ctx, labels)
		is.NoErr(err)          // lists
		is.Equal(len(list), 1) // filtered
		is.Equal(list[0].ID, v.ID)
		is.Equal(list[0].Name, named("main"))
		is.Equal(list[0].State, "running")
		is.Equal(list[0].Labels["ddtest-cli"], id)

		r, err := c.Run(ctx, image, nil, &RunOptions{Name: named("main"), Remove: true, Labels: labels})
		is.NoErr(err)                                     // a result
		is.True(errors.Is(r.EngineError(), ErrNameInUse)) // sentinel

		is.Equal(execCode(t, c, named("main"), "/guest", "exit", "9"), 9)                   // the command's code
		is.True(slices.Contains([]int{126, 127}, execCode(t, c, named("main"), "/nosuch"))) // the engine's
		x, err := c.StartExec(ctx, named("main"), []string{"/guest", "cat"}, &ExecOptions{DetachKeys: &none})
		is.NoErr(err) // starts
		echo(is, x, "second")
		is.NoErr(x.Close())
		is.Equal(x.ExitCode(), 0) // ended by the end of its input

		is.NoErr(p.Close())
		is.Equal(p.ExitCode(), 0) // ended by the end of its input
		for range 100 {
			if _, err = c.ContainerInspect(ctx, named("main")); err != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		is.True(errors.Is(err, ErrNoSuchContainer)) // --rm
		vol, err := c.VolumeInspect(ctx, volume)
		is.NoErr(err) // inspects
		is.Equal(vol.Labels["ddtest-cli"], id)
		is.NoErr(c.VolumeRemove(ctx, volume)) // removes
		is.True(errors.Is(c.VolumeRemove(ctx, volume), ErrNoSuchVolume))
		_, err = c.VolumeInspect(ctx, volume)
		is.True(errors.Is(err, ErrNoSuchVolume))
	})

	t.Run("detached", func(t *testing.T) {
		is := is.New(t)
		name := named("detached")
		r, err := c.Run(ctx, image, []string{"exit", "7"}, &RunOptions{Name: name, Labels: labels, Detach: true})
		is.NoErr(err)                                          // runs
		is.NoErr(r.EngineError())                              // starts
		is.Equal(len(strings.TrimSpace(string(r.Stdout))), 64) // id
		var v *Container
		for range 100 {
			if v, err = c.ContainerInspect(ctx, name); err != nil || v.State.Status == "exited" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		is.NoErr(err)                      // inspects
		is.Equal(v.State.Status, "exited") // ends
		is.Equal(v.State.ExitCode, 7)      // code
		p, err := c.StartExec(ctx, name, []string{"/guest"}, nil)
		is.NoErr(err) // the CLI starts
		is.True(errors.Is(p.Wait(ctx), ErrNotRunning))
		is.NoErr(p.Close())
		is.True(errors.Is(c.Pause(ctx, name), ErrNotRunning))
		is.NoErr(c.ContainerRemove(ctx, name, named("none"))) // removes, and the missing one is no error
		is.NoErr(c.ContainerRemove(ctx, name))                // gone
		is.True(errors.Is(c.Pause(ctx, name), ErrNoSuchContainer))
		is.True(errors.Is(c.Unpause(ctx, name), ErrNoSuchContainer))
	})

	t.Run("created, paused and committed", func(t *testing.T) {
		is := is.New(t)
		name, committed := named("created"), "localhost/"+id+":3"
		is.NoErr(c.ContainerCreate(ctx, image, name, labels, "cat")) // creates
		is.True(errors.Is(c.ContainerCreate(ctx, image, name, labels), ErrNameInUse))
		is.True(errors.Is(c.ContainerCreate(ctx, named("none"), named("other"), labels), ErrNoSuchImage))
		v, err := c.ContainerInspect(ctx, name)
		is.NoErr(err)                       // inspects
		is.Equal(v.State.Status, "created") // not started
		is.NoErr(c.Commit(ctx, name, committed))
		is.NoErr(c.ImageRemove(ctx, committed))
		is.True(errors.Is(c.Commit(ctx, named("none"), committed), ErrNoSuchContainer))
		is.NoErr(c.ContainerRemove(ctx, name))
		p, err := c.Start(ctx, image, []string{"cat"}, &RunOptions{Name: name, Labels: labels, Remove: true, Network: "none"})
		is.NoErr(err) // starts
		defer p.Close()
		echo(is, p, "ping")
		if info.CgroupVersion == 2 || !info.Rootless {
			is.NoErr(c.Pause(ctx, name))
			v, err = c.ContainerInspect(ctx, name)
			is.NoErr(err) // inspects
			is.Equal(v.State.Status, "paused")
			is.NoErr(c.Unpause(ctx, name))
			echo(is, p, "pong")
		}
	})

	t.Run("networks", func(t *testing.T) {
		is := is.New(t)
		name := named("net")
		is.NoErr(c.NetworkCreate(ctx, name, &NetworkOptions{Labels: labels, Internal: true})) // creates
		is.True(errors.Is(c.NetworkCreate(ctx, name, nil), ErrNameInUse))
		list, err := c.NetworkList(ctx, labels)
		is.NoErr(err)          // lists
		is.Equal(len(list), 1) // filtered
		is.Equal(list[0].Name, name)
		is.NoErr(c.NetworkRemove(ctx, name)) // removes
		is.True(errors.Is(c.NetworkRemove(ctx, name), ErrNoSuchNetwork))
	})

	t.Run("unsupported and unreachable", func(t *testing.T) {
		is := is.New(t)
		_, err := c.output(ctx, []string{"ps", "--drydock"}, "")
		e, ok := errors.AsType[*Error](err)
		is.True(ok && errors.Is(err, ErrUnsupportedFlag))
		is.Equal(e.Flag, "--drydock")
		if info.Engine == Docker {
			_, err = (&Client{Path: cli, Host: "tcp://127.0.0.1:1"}).Info(ctx)
			is.True(errors.Is(err, ErrUnreachable)) // host
			_, err = (&Client{Path: cli, Context: "ddtest-cli-none"}).Info(ctx)
			is.True(errors.Is(err, ErrUnreachable)) // context
		}
	})
}

// execCode runs a command in a container and returns the exit code of the CLI.
func execCode(t *testing.T, c *Client, container string, command ...string) int {
	t.Helper()
	p, err := c.StartExec(t.Context(), container, command, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_ = p.Wait(t.Context()) // its error holds the code as well
	return p.ExitCode()
}

func echo(is *is.I, p *Process, text string) {
	is.Helper()
	_, err := io.WriteString(p.Stdin, text)
	is.NoErr(err) // writes
	buf := make([]byte, len(text))
	_, err = io.ReadFull(p.Stdout, buf)
	is.NoErr(err)               // reads
	is.Equal(string(buf), text) // every byte
}

// guestContext builds the image's program and packs it with a Dockerfile.
func guestContext(t *testing.T, arch, dockerfile string) io.Reader {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(guestSource), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := proc.Run(t.Context(), proc.Spec{
		Path: "go", Args: []string{"build", "-o", filepath.Join(dir, "guest"), filepath.Join(dir, "main.go")},
		Env: []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch},
	})
	if err != nil || r.ExitCode != 0 {
		t.Fatalf("go build: %v %s", err, r.Stderr)
	}
	guest, err := os.ReadFile(filepath.Join(dir, "guest"))
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(map[string]string{"Dockerfile": "FROM scratch\nCOPY guest /guest\n" + dockerfile, "guest": string(guest)})
}

func tarOf(files map[string]string) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), Uid: 1234, Gid: 1234})
		io.WriteString(w, files[name])
	}
	w.Close()
	return &b
}

// cleanEngine removes everything that the test made, and fails if something stays.
func cleanEngine(t *testing.T, c *Client, labels map[string]string, image, volume string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	containers, _ := c.ContainerList(ctx, labels)
	for _, v := range containers {
		c.ContainerRemove(ctx, v.ID)
	}
	c.VolumeRemove(ctx, volume)
	networks, _ := c.NetworkList(ctx, labels)
	for _, v := range networks {
		c.NetworkRemove(ctx, v.Name)
	}
	c.ImageRemove(ctx, image)
	images, _ := c.ImageList(ctx, labels)
	for _, v := range images {
		c.ImageRemove(ctx, v.ID)
	}
	if containers, err := c.ContainerList(ctx, labels); err != nil || len(containers) > 0 {
		t.Errorf("left behind: %v, %v", containers, err)
	}
	if _, err := c.VolumeInspect(ctx, volume); !errors.Is(err, ErrNoSuchVolume) {
		t.Errorf("left behind: volume %s, %v", volume, err)
	}
	if images, err := c.ImageList(ctx, labels); err != nil || len(images) > 0 {
		t.Errorf("left behind: %v, %v", images, err)
	}
}
