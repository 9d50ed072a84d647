package dockercli

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/matryer/is"
)

// The cases are those of every package that removes control sequences.
func TestEscapes(t *testing.T) {
	data, err := os.ReadFile("testdata/escapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, Text, Want string }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	is.New(t).True(len(cases) > 20)
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(plain(tt.Text), tt.Want)
		})
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"blank lines", "a\n\n \t\nb\n", "a\nb"},
		{"hints", "a\nRun 'docker run --help' for more\nSee 'docker run --help'\n", "a"},
		{"control characters", "a\x00b\x07\u009b31mc\x7f\td", "ab31mc\td"},
		{"a sequence that is not closed", "\x1b]0;title\nthe engine's message\n", "the engine's message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(lastLines(tt.text), tt.want)
		})
	}
}
