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
)

func TestLock(t *testing.T) {
	is := is.New(t)
	e, cli := engine(t)
	ctx := context.Background()
	stamp := fmt.Sprint("echo ", time.Now().UnixNano())
	url := localIndex(t, map[string][]byte{
		"ddone-1.0-py3-none-any.whl": wheel(t, "ddone", "1.0", "VALUE = 1\n"),
		"ddone-2.0-py3-none-any.whl": wheel(t, "ddone", "2.0", "VALUE = 2\n"),
	})
	catalog, err := drydock.Presets().With(
		drydock.Runtime{Name: "locked-pip", BaseImage: pythonBase, Packages: drydock.Packages{drydock.Pip: {"ddone"}}, SetupCommands: []string{stamp}},
		drydock.Runtime{Name: "locked-file", BaseImage: pythonBase, SetupCommands: []string{stamp},
			Requirements: map[drydock.Manager]drydock.Requirements{drydock.Pip: {"requirements.txt": "ddone >= 1 # any\n"}}},
		drydock.Runtime{Name: "locked-plain", Image: busybox},
	)
	is.NoErr(err)
	opts := &sandbox.Options{Engine: e, Catalog: catalog, Build: &sandbox.BuildOptions{PipIndex: url}}
	lock, err := sandbox.Lock(ctx, opts, "locked-pip", "locked-file", "locked-plain")
	is.NoErr(err)
	pip := lock.Runtimes["locked-pip"]
	is.Equal(pip.Packages, drydock.Packages{drydock.Pip: {"ddone==2.0"}}) // and nothing that the base has
	// It is in no registry, and has a digest with podman all the same.
	is.True(pip.Image == pythonBase || strings.HasPrefix(pip.Image, "localhost/drydock/python@sha256:"))
	is.True(strings.HasPrefix(pip.ImageID, "sha256:"))
	is.Equal(len(lock.Runtimes["locked-plain"].Packages), 0)
	// What a file leaves open is pinned in it, so that nothing else is installed first.
	file := lock.Runtimes["locked-file"]
	is.Equal(len(file.Packages), 0)
	is.Equal(file.Requirements[drydock.Pip], drydock.Requirements{"requirements.txt": "ddone >= 1 # any\nddone==2.0\n"})

	locked, err := catalog.Locked(lock)
	is.NoErr(err)
	for i, c := range []*drydock.Catalog{locked, locked, catalog, catalog} {
		o := *opts
		o.Catalog, o.Runtime = c, []string{"locked-pip", "locked-file"}[i%2]
		sb, err := sandbox.Open(ctx, &o)
		is.NoErr(err)
		defer exec.Command(cli, "rmi", sb.Image()).Run()
		defer sb.Close()
		r, err := sb.Command("python3", "-c", "import ddone; print(ddone.VALUE)").Run(ctx)
		is.NoErr(err)
		is.Equal(string(r.Stdout), "2\n")
	}
	_, err = sandbox.Lock(ctx, opts, "no-such")
	is.True(errors.Is(err, drydock.ErrUnknownRuntime))
}
