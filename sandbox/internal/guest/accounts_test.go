//go:build linux

package guest

import (
	"testing"

	"github.com/matryer/is"
)

func TestAccountFile(t *testing.T) {
	for _, c := range []struct {
		name     string
		uid, gid int
		want     string
	}{
		{"passwd", 1000, 100, "sandbox:x:1000:100::/home/x:/bin/sh\n"},
		{"passwd", 0, 0, "root:x:0:0::/home/x:/bin/sh\n"},
		{"group", 1000, 100, "sandbox:x:100:\n"},
		{"group", 0, 0, "root:x:0:\n"},
	} {
		is := is.New(t)
		got := string(accountFile(c.name, c.uid, c.gid, "/home/x"))
		is.Equal(got, c.want)
		id := map[string]int{"passwd": c.uid, "group": c.gid}[c.name]
		is.True(hasID(got, id)) // finds its own entry
	}
}

func TestHasID(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/bash\n\n# 7\nnobody:x:65534:100::/:/bin/false"
	for _, c := range []struct {
		content string
		id      int
		want    bool
	}{
		{passwd, 0, true},
		{passwd, 65534, true},
		{passwd, 100, false}, // a group's number is no user's
		{passwd, 6553, false},
		{passwd, 7, false},
		{"staff:x:50", 50, true},
		{"staff:x:50\n", 50, true},
		{"staff:x", 0, false},
		{"", 0, false},
	} {
		is := is.New(t)
		is.Equal(hasID(c.content, c.id), c.want)
	}
}
