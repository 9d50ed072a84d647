package sandbox

import (
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock"
)

func TestPinned(t *testing.T) {
	is := is.New(t)
	for _, tt := range []struct {
		ref     string
		digests []string
		want    string
	}{
		{"python:3.12-slim", []string{"python@sha256:1"}, "python@sha256:1"},
		{"python:3.12-slim", []string{"docker.io/library/python@sha256:1"}, "python@sha256:1"},
		{"localhost:5000/a/b:1", []string{"other/a/b@sha256:2", "localhost:5000/a/b@sha256:1"}, "localhost:5000/a/b@sha256:1"},
		{"localhost:5000/a", []string{"localhost:5000/a@sha256:1"}, "localhost:5000/a@sha256:1"},
		{"a@sha256:9", []string{"a@sha256:1"}, "a@sha256:1"},
		{"a:1", nil, "a:1"},
		{"a:1", []string{"b@sha256:1"}, "a:1"},
	} {
		is.Equal(pinned(tt.ref, tt.digests), tt.want)
	}
}

func TestPinFiles(t *testing.T) {
	is := is.New(t)
	pins := []string{"a==1", "b==2"}
	is.Equal(pinFiles(drydock.Requirements{"r.txt": "-i https://x\na @ https://y"}, pins),
		drydock.Requirements{"r.txt": "-i https://x\na @ https://y\na==1\nb==2\n"})
	is.Equal(pinFiles(drydock.Requirements{"r.txt": "a==1 \\\n  --hash=sha256:0\n"}, pins), nil) // it has a hash for each
	is.Equal(pinFiles(nil, pins), nil)
}

// What package managers print, and the packages that it tells of.
func TestListers(t *testing.T) {
	is := is.New(t)
	for m, tt := range map[drydock.Manager]struct {
		output string
		want   []string
	}{
		drydock.Apt:   {"git=1:2.39.5-0+deb12u2\nlibc6=2.36-9\n", []string{"git=1:2.39.5-0+deb12u2", "libc6=2.36-9"}},
		drydock.Apk:   {"WARNING: x\nmusl-1.2.4-r2\npy3-foo-bar-1.0_git2-r0\n", []string{"musl=1.2.4-r2", "py3-foo-bar=1.0_git2-r0"}},
		drydock.Pip:   {`[{"name": "numpy", "version": "2.1.0"}]`, []string{"numpy==2.1.0"}},
		drydock.Cargo: {"ripgrep v14.1.0:\n    rg\nfd-find v9.0.0:\n    fd\n", []string{"ripgrep@14.1.0", "fd-find@9.0.0"}},
		drydock.Go: {"/usr/local/bin/gopls: go1.26\n\tpath\tgolang.org/x/tools/gopls\n\tmod\tgolang.org/x/tools/gopls\tv0.16.1\th1:x\n\tdep\ta.b/c\tv1\th1:y\n",
			[]string{"golang.org/x/tools/gopls@v0.16.1"}},
	} {
		l := listers[m]
		got, err := l.read([]byte(tt.output))
		is.NoErr(err)
		is.Equal(got, tt.want)
		// A runtime accepts the packages in this form.
		is.NoErr(drydock.Runtime{BaseImage: "x", Packages: drydock.Packages{m: got}}.Validate())
	}
	_, err := listers[drydock.Pip].read([]byte("no JSON"))
	is.True(err != nil)
}
