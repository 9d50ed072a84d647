package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/dockercli"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/matryer/is"
)

// removeImages removes the images of a runtime when the test ends.
func removeImages(t *testing.T, runtime string) {
	t.Helper()
	client := &dockercli.Client{Path: testEngine(t)}
	on := engine.Docker(client)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Cleanup(func() {
		for _, ref := range imagesOf(t, client, runtime) {
			if err := on.RemoveImage(context.Background(), ref); err != nil {
				t.Error(err)
			}
		}
	})
}

func imagesOf(t *testing.T, client *dockercli.Client, runtime string) (refs []string) {
	t.Helper()
	all, err := client.ImageList(context.Background(), map[string]string{engine.LabelRuntime: runtime})
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range all {
		refs = append(refs, im.Ref)
	}
	return refs
}

func TestBuildExportImport(t *testing.T) {
	is := is.New(t)
	name, file := slowRuntime(t, "echo from the builder; echo built > /built")
	client := &dockercli.Client{Path: testEngine(t)}
	on := []string{"--engine", testEngine(t), "--runtimes", file}
	cli := func(command string, args ...string) end {
		t.Helper()
		return finish(t, program(t, append(append([]string{command}, on...), args...)...))
	}
	got := cli("build", "--verbose", name)
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, name+"  built "))
	is.True(strings.Contains(got.stderr, "] setup: echo from the builder"))
	is.True(strings.Contains(got.stderr, "\n  from the builder\n"))
	got = cli("build", name)
	is.True(strings.Contains(got.stdout, name+"  was there "))
	is.Equal(got.stderr, "")
	got = cli("build", name, "nope")
	is.Equal(got.code, 125)
	is.True(strings.Contains(got.stderr, "nope"))

	got = cli("runtimes", "--json")
	var list []runtimeJSON
	is.NoErr(json.Unmarshal([]byte(got.stdout), &list))
	last := list[len(list)-1]
	is.Equal(last.Name, name)
	is.True(last.Built != nil && last.Built.Size > 1<<20 && time.Since(last.Built.Used) < time.Minute)
	is.Equal(imagesOf(t, client, name), []string{last.Built.Image})
	got = cli("images")
	is.True(strings.Contains(got.stdout, last.Built.Image[strings.LastIndex(last.Built.Image, ":")+1:]))

	archive := filepath.Join(t.TempDir(), "lab.tar")
	is.Equal(cli("export", archive, name).code, 0)
	is.NoErr(client.ImageRemove(t.Context(), last.Built.Image))
	run := func() end { return cli("run", "--offline", "--runtime", name, "--", "cat", "/built") }
	is.Equal(run().code, 125) // else what comes proves nothing
	got = cli("import", archive)
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, name))
	is.Equal(run().stdout, "built\n")

	files, err := os.ReadDir(filepath.Dir(archive))
	is.NoErr(err)
	is.Equal(len(files), 1) // nothing beside the archive
	is.NoErr(os.WriteFile(file, []byte(strings.Replace(second(os.ReadFile(file)), "echo built", "echo else", 1)), 0o644))
	got = cli("import", archive)
	is.Equal(got.code, 125)
	is.True(strings.Contains(got.stderr, "of no use here"))
	got = cli("prune", "--dry-run") // the engine is shared: never without in a test
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, name) && strings.Contains(got.stdout, "superseded"))
	is.Equal(len(imagesOf(t, client, name)), 1) // it is still there
}

func second(text []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestListImages(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	is.NoErr(listImages(&b, []image.RuntimeImage{
		{Ref: "localhost/drydock/runtime/lab:0123456789abcdef0123", Runtime: "lab", Base: "debian:12", Created: at, Used: at, Size: 3 << 20, InUse: true, Superseded: true},
		{ID: "sha256:1", Base: "a\x1bb", Created: at, Used: at.AddDate(0, 0, 1), Size: 1 << 19},
	}))
	is.Equal(b.String(), ""+
		"RUNTIME  TAG                   BASE       CREATED     USED        SIZE     STATE\n"+
		"lab      0123456789abcdef0123  debian:12  2026-11-25  2026-11-25  3.0 MiB  superseded, in use\n"+
		"-        -                     a\\x1bb     2026-11-25  2026-11-26  0.5 MiB  \n"+
		"\n2 in all, 3.5 MiB; shared layers are counted for each image\n")
}

func TestListPrebuilt(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	is.NoErr(listPrebuilt(&b, []image.Prebuilt{
		{Runtime: "lab", Built: true, Size: 3 << 20, Duration: 1234 * time.Millisecond, StandIn: "mirror/a in place of a"},
		{Runtime: "there", Size: 1 << 19, Duration: 14 * time.Millisecond, StandIn: "mirror/a in place of a"},
		{Runtime: "bad", Err: os.ErrInvalid, Duration: time.Minute},
	}))
	is.Equal(b.String(), ""+
		"NAME   RESULT       TIME  SIZE\n"+
		"lab    built *      1.2s  3.0 MiB\n"+
		"there  was there *  0s    0.5 MiB\n"+
		"bad    failed       1m0s  -\n"+
		"\n* stands in for another image on this host:\n  mirror/a in place of a\n")
}

func TestParseAge(t *testing.T) {
	for s, want := range map[string]time.Duration{"30d": 720 * time.Hour, "12h": 12 * time.Hour, "0d": 0, "-1d": 0, "d": 0, "1.5d": 0, "99999999d": 0, "0": 0} {
		t.Run(s, func(t *testing.T) {
			is := is.New(t)
			got, err := parseAge(s)
			is.Equal(got, want)
			is.Equal(err != nil, want == 0)
		})
	}
}

func TestToFile(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "a.tar")
	is.NoErr(os.WriteFile(name, []byte("before"), 0o644))
	err := toFile(name, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return os.ErrInvalid })
	is.True(err != nil)
	is.Equal(second(os.ReadFile(name)), "before") // as it was
	files, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(files), 1) // and nothing beside it
}
