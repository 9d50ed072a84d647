package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/matryer/is"
)

var someRuntimes = []drydock.Runtime{
	{Name: "a", Image: "python:3", WorkDir: "/workspace"},
	{
		Name: "b", BaseImage: "mirror/node", WorkDir: "/app", StandIn: drydock.StandIn{Image: "mirror/node", For: "node"},
		Packages: drydock.Packages{drydock.NPM: {"vite"}, drydock.Apt: {"git", "curl"}},
	},
}

var (
	builtAt   = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	someBuilt = map[string]image.RuntimeImage{"a": {Ref: "localhost/drydock/runtime/a:1", Runtime: "a", Size: 3 << 19, Created: builtAt, Used: builtAt}}
)

func TestListTable(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	is.NoErr(listTable(&b, someRuntimes, nil))
	is.Equal(b.String(), ""+
		"NAME  IMAGE          PACKAGES                  WORK DIR\n"+
		"a     python:3                                 /workspace\n"+
		"b     mirror/node *  apt: git curl; npm: vite  /app\n"+
		"\n"+
		"* stands in for another image on this host:\n"+
		"  mirror/node in place of node\n")
	b.Reset()
	is.NoErr(listTable(&b, someRuntimes[:1], someBuilt))
	is.Equal(b.String(), ""+
		"NAME  IMAGE     PACKAGES  WORK DIR    BUILT\n"+
		"a     python:3            /workspace  1.5 MiB\n") // if the engine answers
}

func TestListJSON(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	is.NoErr(listJSON(&b, someRuntimes, someBuilt))
	var got []runtimeJSON
	is.NoErr(json.Unmarshal([]byte(b.String()), &got))
	is.Equal(got, []runtimeJSON{
		{Name: "a", Image: "python:3", Packages: map[string][]string{}, WorkDir: "/workspace",
			Built: &builtJSON{"localhost/drydock/runtime/a:1", 3 << 19, builtAt, builtAt}},
		{
			Name: "b", Image: "mirror/node", WorkDir: "/app", StandIn: "mirror/node in place of node",
			Packages: map[string][]string{"npm": {"vite"}, "apt": {"git", "curl"}},
		},
	})
	b.Reset()
	is.NoErr(listJSON(&b, nil, nil))
	is.Equal(b.String(), "[]\n") // none is an array, too
}
