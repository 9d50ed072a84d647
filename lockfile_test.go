package drydock

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"
)

var zeros = strings.Repeat("0", 64)

func TestLockFile(t *testing.T) {
	is := is.New(t)
	c, err := Presets().overlay("f.yaml", []byte(`
stand_ins: {python:3.12-slim: localhost/x/python:1}
runtimes:
  lab: {base_image: python:3.12-slim, packages: {pip: [pandas], apt: [git], npm: [react]}, env: {A: b}}
  plain: {image: alpine:3}
`))
	is.NoErr(err)
	lab, err := c.Runtime("lab")
	is.NoErr(err)
	plain, err := c.Runtime("plain")
	is.NoErr(err)
	lock := &LockFile{Runtimes: map[string]Pins{
		"lab": {Definition: lab.Hash(), Image: "localhost/x/python@sha256:" + zeros, ImageID: "sha256:1",
			Packages:     Packages{Pip: {"numpy==2.1", "pandas==2.2.3"}, Apt: {"git=1:2.39.5-0"}},
			Requirements: map[Manager]Requirements{NPM: {"package.json": "{}", "package-lock.json": "{}"}}},
		"plain": {Definition: plain.Hash(), Image: "alpine@sha256:" + zeros},
	}}
	file := filepath.Join(t.TempDir(), "runtimes.lock")
	is.NoErr(lock.Write(file))
	is.NoErr(lock.Write(file)) // over one that is there
	read, err := ReadLockFile(file)
	is.NoErr(err)
	lock.Version = 1
	is.Equal(read, lock)
	entries, err := os.ReadDir(filepath.Dir(file))
	is.NoErr(err)
	is.Equal(len(entries), 1) // no temporary file

	locked, err := c.Locked(read)
	is.NoErr(err)
	pinned, err := locked.Runtime("lab")
	is.NoErr(err)
	is.NoErr(pinned.Validate())
	is.Equal(pinned.BaseImage, "localhost/x/python@sha256:"+zeros)
	is.Equal(pinned.StandIn, StandIn{Image: "localhost/x/python@sha256:" + zeros, For: "python:3.12-slim"})
	is.Equal(pinned.Packages, Packages{Pip: {"numpy==2.1", "pandas==2.2.3"}, Apt: {"git=1:2.39.5-0"}})
	is.Equal(len(pinned.Requirements[NPM]), 2)
	is.Equal(pinned.Env, map[string]string{"A": "b"})
	is.True(pinned.Hash() != lab.Hash())
	r, err := locked.Runtime("plain")
	is.NoErr(err)
	is.Equal(r.Image, "alpine@sha256:"+zeros)
	other, err := locked.Runtime("python-web") // not in the lock
	is.NoErr(err)
	is.Equal(other.BaseImage, "localhost/x/python:1")
	again, err := locked.Locked(read)
	is.NoErr(err) // it is the definition that counts
	r, err = again.Runtime("lab")
	is.NoErr(err)
	is.Equal(r.Hash(), pinned.Hash())
	replaced, err := locked.With(Runtime{Name: "plain", Image: "busybox"})
	is.NoErr(err)
	r, err = replaced.Runtime("plain")
	is.NoErr(err)
	is.Equal(r.Image, "busybox") // whose pins were of another
	r, err = c.Runtime("lab")
	is.NoErr(err)
	is.Equal(r.Hash(), lab.Hash()) // a catalogue never changes

	none, err := c.Locked(nil)
	is.NoErr(err)
	is.Equal(none.All(), c.All())

	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		if runtime.GOOS == "linux" {
			_, err := ReadLockFile("/dev/zero") // whose size is 0
			is.Equal(err.Error(), "/dev/zero: cannot be read: more than 67108864 bytes")
		}
		_, err := replaced.Locked(read)
		is.True(errors.Is(err, ErrDefinitionChanged))
		is.Equal(err.Error(), `runtime "plain": has changed since it was locked; lock it again`)
		_, err = Presets().Locked(read)
		is.True(errors.Is(err, ErrUnknownRuntime))
		is.Equal(err.Error(), `the lock file pins the runtime "lab", which is not defined any more; lock the runtimes again`+"\n"+
			`the lock file pins the runtime "plain", which is not defined any more; lock the runtimes again`)
		bad := &LockFile{Runtimes: map[string]Pins{"plain": {Definition: plain.Hash(), Image: "--privileged"}}}
		_, err = c.Locked(bad)
		is.True(err != nil) // refused
		is.Equal(err.Error(), `runtime "plain": image: refused in the lock file: `+noImage("--privileged"))
		for text, want := range map[string]string{
			"{":                                   "not a lock file",
			`{"version": 2}`:                      "lock file of version 2",
			`{}`:                                  "lock file of version 0",
			`{"version": 1, "runtimes": "x"}`:     "not a lock file",
			`{"version": 1, "runtimes": {"a":1}}`: "not a lock file",
		} {
			is.NoErr(os.WriteFile(file, []byte(text), 0o600))
			_, err := ReadLockFile(file)
			is.True(err != nil && strings.Contains(err.Error(), want))
		}
		_, err = ReadLockFile(file + ".none")
		is.True(errors.Is(err, os.ErrNotExist))
	})
}
