package tools

import (
	"testing"

	"github.com/matryer/is"
)

func TestWrite(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, nil)

	is.Equal(use(t, s, "write_file", object{"path": "sub/new.txt", "content": "a\nb"}).Text, "created sub/new.txt: 2 lines, 3 bytes")
	is.Equal(sb.Get("sub/new.txt"), "a\nb")
	is.Equal(use(t, s, "write_file", object{"path": "sub/new.txt", "content": ""}).Text, "replaced sub/new.txt: 0 lines, 0 bytes") // known, because it was written
	sb.Put("sub/new.txt", "another's")
	r := use(t, s, "write_file", object{"path": "sub/new.txt", "content": "mine"})
	is.Equal(r.Text, "sub/new.txt has changed since you read it: read it again with read_file, then write it")
	is.True(r.IsError)
	is.Equal(sb.Get("sub/new.txt"), "another's")
}
