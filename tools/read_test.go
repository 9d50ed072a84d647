package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestRead(t *testing.T) {
	is := is.New(t)
	long := strings.Repeat("é", 3000)
	sb := NewFake(map[string]string{
		"a.txt": "one\ntwo\nthree", "empty": "", "long": long + "\nnext\n", "crlf": "a\r\nb\r\n",
		"latin": "caf\xe9\n", "lines": strings.Repeat("0123456789\n", 5000),
	})
	s := newSet(t, sb, nil)
	is.Equal(use(t, s, "read_file", object{"path": "a.txt"}).Text, "     1\tone\n     2\ttwo\n     3\tthree")
	is.Equal(use(t, s, "read_file", object{"path": "a.txt", "offset": 2, "limit": 1}).Text, "     2\ttwo\n[lines 2 to 2 of 3; use read_file with offset 3 to go on]")
	is.Equal(use(t, s, "read_file", object{"path": "a.txt", "offset": 3}).Text, "     3\tthree\n[lines 3 to 3 of 3]")
	is.Equal(use(t, s, "read_file", object{"path": "empty"}).Text, "(empty file)")
	is.Equal(use(t, s, "read_file", object{"path": "long"}).Text,
		"     1\t"+strings.Repeat("é", 2000)+"... [line cut: 1000 more characters; use a command such as cut -c with execute]\n     2\tnext")
	is.Equal(use(t, s, "read_file", object{"path": "crlf"}).Text, "     1\ta\n     2\tb\n[lines end in CRLF (\\r\\n), which is not shown]")
	is.Equal(use(t, s, "read_file", object{"path": "latin"}).Text, "     1\tcaf\uFFFD")

	r := use(t, s, "read_file", object{"path": "lines"})
	is.True(len(r.Text) <= DefaultMaxOutput)
	is.True(strings.HasSuffix(r.Text, "[lines 1 to 1644 of 5000; use read_file with offset 1645 to go on]"))
	next := use(t, s, "read_file", object{"path": "lines", "offset": 1645})
	is.True(strings.HasPrefix(next.Text, "  1645\t0123456789\n")) // as it said

	small := newSet(t, sb, &Options{MaxOutput: 1000})
	is.True(len(use(t, small, "read_file", object{"path": "long"}).Text) <= 1000)
}
