package dockercli

import (
	"errors"
	"testing"

	"github.com/matryer/is"
)

func TestParseContainers(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     ContainerSummary
	}{
		{"docker", `{"Command":"\"sh\"","CreatedAt":"2026-11-23 06:25:42 +0000 UTC","ID":"3af","Image":"img:1","Labels":"a=1,b=x,y,c=","Names":"web,other/web","State":"running","Status":"Up 2 seconds"}`,
			ContainerSummary{ID: "3af", Name: "web", Image: "img:1", State: "running", Labels: map[string]string{"a": "1", "b": "x,y", "c": ""}}},
		{"podman", `{"AutoRemove":false,"Created":"2026-11-23T06:25:42Z","Id":"3af","Image":"localhost/img:1","ImageID":"1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000","Labels":{"a":"1,2"},"Names":["web"],"State":"exited","Status":"Exited (0) 2 seconds ago"}`,
			ContainerSummary{ID: "3af", Name: "web", Image: "localhost/img:1", ImageID: "sha256:1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000", State: "exited", Labels: map[string]string{"a": "1,2"}}},
		{"podman without labels, spread over lines", "[\n{\n  \"Id\": \"3af\",\n  \"Labels\": null,\n  \"Names\": [\n    \"web\"\n  ],\n  \"State\": \"created\"\n}\n]",
			ContainerSummary{ID: "3af", Name: "web", State: "created", Labels: map[string]string{}}},
		{"nerdctl", `{"ID":"3af","Image":"i","Names":"web","Status":"Up","Labels":""}`,
			ContainerSummary{ID: "3af", Name: "web", Image: "i", State: "running", Labels: map[string]string{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			got, err := parseContainers(tt.in + "\n\n")
			is.NoErr(err)         // parses
			is.Equal(len(got), 1) // one
			if tt.want.Labels != nil && len(tt.want.Labels) == 0 && len(got[0].Labels) == 0 {
				got[0].Labels = tt.want.Labels
			}
			is.Equal(got[0], tt.want) // container
		})
	}
	t.Run("garbage", func(t *testing.T) {
		is := is.New(t)
		_, err := parseContainers("[1]\n")
		is.True(errors.Is(err, ErrOutput)) // refused
		_, err = parseContainers(`{"ID":"1"} {"ID":`)
		is.True(errors.Is(err, ErrOutput)) // refused
	})
	t.Run("states", func(t *testing.T) {
		is := is.New(t)
		is.Equal(stateOf("Exited (0) 3 days ago"), "exited")
		is.Equal(stateOf("Up 3 days (Paused)"), "paused")
		is.Equal(stateOf("Created"), "created")
	})
}
