package drydock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestManyErrorsAreCut(t *testing.T) {
	is := is.New(t)
	_, err := Presets().overlay("f.yaml", []byte(strings.Repeat("x: 1\n", 60)))
	lines := strings.Split(err.Error(), "\n")
	is.Equal(len(lines), 51)
	is.Equal(lines[50], "f.yaml: and 10 more errors")

	var many strings.Builder
	many.WriteString("runtimes:\n")
	for i := range 60 {
		fmt.Fprintf(&many, "  x%d: {extends: nope}\n", i)
	}
	_, err = Presets().overlay("f.yaml", []byte(many.String()))
	lines = strings.Split(err.Error(), "\n")
	is.Equal(len(lines), 51)
	is.True(strings.HasSuffix(lines[0], ", x34, x35 and 24 more")) // nor is every name listed
}
