package tools

import (
	"testing"

	"github.com/matryer/is"
)

func TestGlob(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{
		"a.go": "", "sub/b.go": "", "sub/deep/c.go": "", ".hid/d.go": "", "/etc/conf": "", "-x.go": "", "dir -> sub": "",
	})
	s := newSet(t, sb, nil)
	is.Equal(use(t, s, "glob", object{"pattern": "*.go"}).Text, "a.go\n-x.go")
	is.Equal(use(t, s, "glob", object{"pattern": "-*.go"}).Text, "-x.go")
	is.Equal(use(t, s, "glob", object{"pattern": "**/*.go"}).Text, "sub/deep/c.go\nsub/b.go\na.go\n-x.go")
	is.Equal(use(t, s, "glob", object{"pattern": "**/*.go", "limit": 2}).Text, "sub/deep/c.go\nsub/b.go\n[more than these 2 match: narrow the pattern or the path, or raise limit]")
	is.Equal(use(t, s, "glob", object{"pattern": "*", "path": "sub"}).Text, "sub/b.go\nsub/deep/")
	is.Equal(use(t, s, "glob", object{"pattern": "dir/../sub/*.go"}).Text, "sub/b.go")
	is.Equal(use(t, s, "glob", object{"pattern": "/etc/*"}).Text, "/etc/conf")
	is.Equal(use(t, s, "glob", object{"pattern": "../etc/*", "path": "sub/.."}).Text, "/etc/conf")
	is.Equal(use(t, s, "glob", object{"pattern": "**/*.go", "hidden": true, "path": ".hid"}).Text, ".hid/d.go")
	r := use(t, s, "glob", object{"pattern": "-rf"})
	is.Equal(r.Text, "no file matches -rf in /workspace: use **/-rf to look in the directories below, too")
	is.True(!r.IsError)
	is.Equal(string(use(t, s, "glob", object{"pattern": "*.rs"}).JSON), `{"paths":[],"more":false}`)
}
