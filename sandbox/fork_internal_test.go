package sandbox

import (
	"testing"

	"github.com/matryer/is"
)

// The copies of a sandbox share nothing that changes with it.
func TestForkOfAConfiguration(t *testing.T) {
	is := is.New(t)
	work, data := Mount{Source: "/w", Target: "/work"}, Mount{Source: "data", Target: "/data"}
	c := &config{Options: Options{Name: "first", WorkDir: "/work", Mounts: []Mount{work, data}}}
	a, b := c.fork(), c.fork()
	is.Equal(a.Name, "")
	is.Equal(a.Mounts, []Mount{data}) // its work dir is in memory
	a.Mounts[0].Target = "/changed"
	is.Equal(b.Mounts, []Mount{data})
	is.Equal(c.Mounts, []Mount{work, data}) // the original's are as they were
	is.Equal(c.Name, "first")
}
