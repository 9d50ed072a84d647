package dockercli

import (
	"testing"

	"github.com/matryer/is"
)

func TestRemove(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    reply
		ok   bool
	}{
		{"done", reply{Stdout: "a\n"}, true},
		{"gone", reply{Exit: 1, Stderr: "Error: No such container: a\nError response from daemon: removal of container b is already in progress\n"}, true},
		{"refused", reply{Exit: 1, Stderr: "Error: No such container: a\nError response from daemon: driver failed\n"}, false},
		{"silent", reply{Exit: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			c, calls := fake(t, map[string]reply{"rm": tt.r, "container": {Exit: 1, Stderr: "Error: No such container: a"}})
			is.Equal(c.ContainerRemove(t.Context(), "a", "b") == nil, tt.ok) // error
			if tt.name == "gone" {
				is.Equal(len(calls()), 3) // looks until both are gone
			}
		})
	}
	is := is.New(t)
	is.NoErr((&Client{Path: "drydock-no-such-cli"}).ContainerRemove(t.Context())) // nothing to do
}
