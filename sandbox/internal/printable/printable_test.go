package printable

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestText(t *testing.T) {
	is := is.New(t)
	is.Equal(Text("a\x1b[2Jb\x07\u009bc\n\td"), "a\uFFFD[2Jb\uFFFD\uFFFDc\n\td")
	is.True(len(Text(strings.Repeat("x", 1<<20))) < 5000)
}

// The cases are those of all packages that take escapes out.
func TestLine(t *testing.T) {
	data, err := os.ReadFile("../../../dockercli/testdata/escapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, Text, Want string }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(Line([]byte(c.Text)), c.Want)
		})
	}
	is.New(t).True(len(cases) > 20)
}
