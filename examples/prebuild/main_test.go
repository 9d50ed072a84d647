package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/sandboxtest"
	"github.com/matryer/is"
)

func TestSummary(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	summary(&b, []image.Prebuilt{
		{Runtime: "lab", Built: true, Size: 3 << 20, Duration: 1234 * time.Millisecond, StandIn: "mirror/a in place of a"},
		{Runtime: "there", Size: 1 << 19, StandIn: "mirror/a in place of a"},
		{Runtime: "bad", Err: errors.New("no"), Duration: time.Minute},
	}, 2*time.Minute)
	is.Equal(b.String(), ""+
		"RUNTIME  RESULT                    TIME  SIZE\n"+
		"lab      built, on a stand-in      1.2s  3.0 MiB\n"+
		"there    was there, on a stand-in  0s    0.5 MiB\n"+
		"bad      FAILED                    1m0s  -\n"+
		"\n2 of 3 are ready, after 2m0s\n"+
		"stand-in: mirror/a in place of a\n")
}

func TestOwn(t *testing.T) {
	is := is.New(t)
	is.Equal(len(own(drydock.Presets())), 0)
	c, err := drydock.Presets().With(drydock.Runtime{Name: "lab", Image: "debian:12"}, drydock.Runtime{Name: "go", Image: "golang:2"})
	is.NoErr(err)
	is.Equal(own(c), []string{"go", "lab"}) // a redefined one, and a new one
	file := filepath.Join(t.TempDir(), "lab.yaml")
	is.NoErr(os.WriteFile(file, []byte("stand_ins: {'python:3.12-slim': mirror/python}\nruntimes: {lab: {image: 'python:3.12-slim'}}\n"), 0o644))
	c, err = drydock.Load(file)
	is.NoErr(err)
	is.Equal(own(c), []string{"lab"}) // a preset on a stand-in is still a preset
}

func TestPrintSteps(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	show := printSteps(&b)
	p := image.Progress{Image: "runtime lab", Text: "pull debian:12"}
	show(p)
	p.Line = "Pulling"
	show(p)
	p.Step, p.Steps, p.Text = 1, 2, "setup: a\n\x1b[2Jb"
	show(p)
	p.Done = true
	show(p)
	is.Equal(b.String(), "runtime lab: pull debian:12\nruntime lab: [1/2] setup: a  [2Jb\n")
}

func TestRun(t *testing.T) {
	is := is.New(t)
	cli := os.Getenv(sandboxtest.EnvEngine)
	if cli == "" {
		t.Skip(sandboxtest.EnvEngine + " names no engine")
	}
	ctx := context.Background()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	name := fmt.Sprintf("prebuild-%d-%d", os.Getpid(), time.Now().UnixNano())
	dir := t.TempDir()
	file, archive := filepath.Join(dir, "lab.yaml"), filepath.Join(dir, "images.tar")
	define := func(more string) {
		t.Helper()
		is.NoErr(os.WriteFile(file, []byte("runtimes:\n  "+name+
			":\n    base_image: localhost/drydock/busybox:1\n    setup_commands: ['echo "+name+"']\n"+more), 0o644))
	}
	docker := engine.Docker(&dockercli.Client{Path: cli})
	images := &image.Builder{Engine: docker}
	t.Cleanup(func() {
		all, err := docker.ListImages(ctx, engine.LabelRuntime, name)
		if err != nil {
			t.Error(err)
		}
		for _, im := range all {
			if err := docker.RemoveImage(ctx, im.Ref); err != nil {
				t.Error(err)
			}
		}
	})
	define("  bad:\n    base_image: localhost/drydock/busybox:1\n    setup_commands: ['false']\n")
	err := run(ctx, images, []string{file}, true, archive, nil)
	_, failed := errors.AsType[*image.BuildError](err)
	is.True(failed) // bad fails
	_, err = os.Stat(archive)
	is.True(errors.Is(err, os.ErrNotExist)) // no file with only some of them
	define("")
	is.NoErr(run(ctx, images, []string{file}, true, archive, nil))
	ready, err := images.Prebuild(ctx, name)
	is.NoErr(err)
	is.True(!ready[0].Built) // it is there
	is.NoErr(docker.RemoveImage(ctx, ready[0].Image))
	f, err := os.Open(archive)
	is.NoErr(err)
	defer f.Close()
	loaded, err := images.Import(ctx, f)
	is.NoErr(err)
	is.Equal(loaded[0].Ref, ready[0].Image) // the image that was written
}
