package tools

import (
	"testing"

	"github.com/matryer/is"
)

func TestGrep(t *testing.T) {
	is := is.New(t)
	sb := NewFake(map[string]string{
		"a.go": "package a\nvar X = 1\nvar y = 2\n\n\n// var\n", "b.ts": "var z\n", "bin": "var\x00", ".hid": "var\n",
	})
	s := newSet(t, sb, nil)
	is.Equal(use(t, s, "grep", object{"pattern": "^var"}).Text, "a.go:2:var X = 1\na.go:3:var y = 2\nb.ts:1:var z")
	is.Equal(use(t, s, "grep", object{"pattern": "X|//", "before": 1}).Text, "a.go-1-package a\na.go:2:var X = 1\n--\na.go-5-\na.go:6:// var")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "output_mode": "files_with_matches"}).Text, "a.go\nb.ts")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "output_mode": "count", "include": "*.{go,rs}"}).Text, "a.go:3")
	is.Equal(use(t, s, "grep", object{"pattern": "VAR Z", "ignore_case": true}).Text, "b.ts:1:var z")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "path": "b.ts"}).Text, "b.ts:1:var z")
	is.Equal(use(t, s, "grep", object{"pattern": "var", "limit": 1}).Text, "a.go:2:var X = 1\n[there are more matches: narrow the pattern, the path or include, or use output_mode files_with_matches or count]")
	is.Equal(use(t, s, "grep", object{"pattern": "nothing"}).Text, "no match in /workspace; ignore_case may find more; files whose names begin with a dot were not searched")
	is.True(!use(t, s, "grep", object{"pattern": "nothing"}).IsError)
	r := use(t, s, "grep", object{"pattern": "^var", "path": "b.ts"})
	is.Equal(string(r.JSON), `{"mode":"content","matches":[{"path":"b.ts","line":1,"text":"var z","match":true}],"more":false}`)
}
