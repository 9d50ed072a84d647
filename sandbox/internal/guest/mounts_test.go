//go:build linux

package guest

import (
	"testing"

	"github.com/matryer/is"
)

func TestMountsIn(t *testing.T) {
	is := is.New(t)
	const table = `24 1 0:22 / / ro,relatime - overlay overlay rw
31 24 0:30 / /project rw - tmpfs tmpfs rw
32 31 8:1 /x /project/a/b rw - ext4 /dev/sda rw
33 31 8:1 /x /project/with\040space\134\012 rw - ext4 /dev/sda rw
34 24 8:1 /x /projects rw - ext4 /dev/sda rw
broken
`
	is.Equal(mountsIn(table, "/project"), map[string]bool{"a/b": true, "with space\\\n": true})
	is.Equal(len(mountsIn(table, "/")), 4)
	is.Equal(len(mountsIn(table, "/projects")), 0)
	is.True(holdsMount(map[string]bool{"a/b": true}, "a"))
	is.True(!holdsMount(map[string]bool{"a/b": true}, "a/b"))
}
