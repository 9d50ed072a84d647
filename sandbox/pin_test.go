package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// Pin finds the versions of what is installed, and an image of the lock has just those.
func TestPin(t *testing.T) {
	is := is.New(t)
	e, cli := enginetest.Engine(t)
	ctx := context.Background()
	stamp := fmt.Sprint("echo ", time.Now().UnixNano())
	url := enginetest.Index(t, map[string][]byte{
		"ddone-1.0-py3-none-any.whl": enginetest.Wheel(t, "ddone", "1.0", "VALUE = 1\n"),
		"ddone-2.0-py3-none-any.whl": enginetest.Wheel(t, "ddone", "2.0", "VALUE = 2\n"),
	})
	catalog, err := drydock.Presets().With(
		drydock.Runtime{Name: "locked-pip", BaseImage: enginetest.Python, Packages: drydock.Packages{drydock.Pip: {"ddone"}}, SetupCommands: []string{stamp}},
		drydock.Runtime{Name: "locked-file", BaseImage: enginetest.Python, SetupCommands: []string{stamp},
			Requirements: map[drydock.Manager]drydock.Requirements{drydock.Pip: {"requirements.txt": "ddone >= 1 # any\n"}}},
		drydock.Runtime{Name: "locked-plain", Image: enginetest.Busybox},
	)
	is.NoErr(err)
	images := &image.Builder{Engine: e, Catalog: catalog, PipIndex: url}
	lock, err := sandbox.Pin(ctx, images, "locked-pip", "locked-file", "locked-plain")
	is.NoErr(err)
	pip := lock.Runtimes["locked-pip"]
	is.Equal(pip.Packages, drydock.Packages{drydock.Pip: {"ddone==2.0"}}) // and nothing that the base has
	// It is in no registry, and has a digest with podman all the same.
	is.True(pip.Image == enginetest.Python || strings.HasPrefix(pip.Image, "localhost/drydock/python@sha256:"))
	is.True(strings.HasPrefix(pip.ImageID, "sha256:"))
	is.Equal(len(lock.Runtimes["locked-plain"].Packages), 0)
	// What a file leaves open is pinned in it, so that nothing else is installed first.
	file := lock.Runtimes["locked-file"]
	is.Equal(len(file.Packages), 0)
	is.Equal(file.Requirements[drydock.Pip], drydock.Requirements{"requirements.txt": "ddone >= 1 # any\nddone==2.0\n"})

	locked, err := catalog.Locked(lock)
	is.NoErr(err)
	for i, c := range []*drydock.Catalog{locked, locked, catalog, catalog} {
		own := *images
		own.Catalog = c
		sb, err := sandbox.Open(ctx, &sandbox.Options{Runtime: []string{"locked-pip", "locked-file"}[i%2], Images: &own})
		is.NoErr(err)
		defer exec.Command(cli, "rmi", sb.Image()).Run()
		defer sb.Close()
		r, err := sb.Command("python3", "-c", "import ddone; print(ddone.VALUE)").Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "2\n")
	}
	_, err = sandbox.Pin(ctx, images, "no-such")
	is.True(errors.Is(err, drydock.ErrUnknownRuntime))
}
