package dockercli

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestParseImage(t *testing.T) {
	is := is.New(t)
	id := "1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc1eeb0406dffc0000"
	v, err := parseImage(`{"Id":"` + id + `","RepoTags":null,"Created":"","Size":5,"Os":"linux","Architecture":"amd64","Config":{"Labels":{"a":"1"},"Env":["A=b"],"Volumes":{"/b":{},"/a":{}},"ExposedPorts":{"81/udp":{},"80/tcp":{}},"Healthcheck":{"Test":["CMD","true"],"Timeout":3000000000}}}`)
	is.NoErr(err)                             // parses
	is.Equal(v.Volumes, []string{"/a", "/b"}) // volumes
	is.Equal(v.OS, "linux")                   // os
	is.Equal(v.Ports, []string{"80/tcp", "81/udp"})
	is.Equal(v.Health, Healthcheck{Test: []string{"CMD", "true"}, Timeout: 3 * time.Second})
	v, err = parseImage(`{"Id":"` + id + `","Config":{},"Healthcheck":{"Test":["CMD-SHELL","true"]}}`)
	is.NoErr(err)                                          // parses
	is.Equal(v.Health.Test, []string{"CMD-SHELL", "true"}) // podman's place
}
